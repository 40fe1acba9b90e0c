package dev.reckoner.reasoning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/** Real filing pages: FinQA's development split under {@code -Dreckoner.data=DIR}. */
@EnabledIfSystemProperty(named = "reckoner.data", matches = ".+")
class FinQaPagesTest {

  private static final Pattern OPERAND = Pattern.compile("[(,]\\s*(-?[0-9.]+)(%?)\\s*(?=[,)])");

  private record Page(String id, Evidence evidence, String program) {}

  private static List<Page> pages;

  @BeforeAll
  static void read() throws IOException {
    Path file = Path.of(System.getProperty("reckoner.data"), "finqa", "dev.jsonl.gz");
    ObjectMapper json = new ObjectMapper();
    pages = new ArrayList<>();
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(
                new GZIPInputStream(Files.newInputStream(file)), StandardCharsets.UTF_8))) {
      lines.lines().forEach(line -> pages.add(page(json, line)));
    }
  }

  private static Page page(ObjectMapper json, String line) {
    try {
      JsonNode row = json.readTree(line);
      List<List<String>> table = new ArrayList<>();
      row.path("table").forEach(r -> table.add(texts(r)));
      List<String> sentences = texts(row.path("pre_text"));
      sentences.addAll(texts(row.path("post_text")));
      List<Evidence.Table> tables =
          table.isEmpty() ? List.of() : List.of(new Evidence.Table("", table));
      String id = row.path("id").asText();
      return new Page(
          id,
          new Evidence(id, row.path("question").asText(), tables, sentences),
          row.path("program").asText(""));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> texts(JsonNode list) {
    List<String> all = new ArrayList<>();
    list.forEach(t -> all.add(t.asText()));
    return all;
  }

  @Test
  void nearlyEveryFigureThatAGoldProgramUsesIsFoundOnItsPage() {
    int used = 0;
    int found = 0;
    for (Page page : pages) {
      Figures figures = Figures.of(page.evidence());
      Matcher m = OPERAND.matcher(page.program());
      while (m.find()) {
        used++;
        BigDecimal wanted = new BigDecimal(m.group(1)).abs();
        boolean there =
            figures.all().stream().anyMatch(f -> f.figure().value().abs().compareTo(wanted) == 0);
        found += there ? 1 : 0;
        if (!there && Boolean.getBoolean("reckoner.verbose")) {
          System.out.println(page.id() + " lacks " + m.group(1) + " of " + page.program());
        }
      }
    }
    System.out.println("figures of gold programs found: " + found + " of " + used);
    assertTrue(found >= 0.97 * used, found + " of " + used);
  }

  @Test
  void everyPageGoesThroughThePromptAndBack() throws Exception {
    PromptFormat format = new PromptFormat();
    for (Page page : pages) {
      assertEquals(page.evidence(), format.parse(format.render(page.evidence())), page.id());
    }
  }

  @Test
  void randomChainsOnRealPagesVerify() throws Exception {
    Verifier verifier = new Verifier();
    for (int i = 0; i < pages.size(); i += 20) {
      Evidence evidence = pages.get(i).evidence();
      String text = ChainGrammarTest.randomWalk(evidence, new Random(i));
      for (Verdict verdict : verifier.verify(evidence, Chain.parse(text))) {
        assertTrue(
            verdict.passed() || verdict.kind() == Verdict.Kind.WRONG_UNIT_OR_SCALE,
            pages.get(i).id() + ": " + verdict + "\n" + text);
      }
    }
  }
}
