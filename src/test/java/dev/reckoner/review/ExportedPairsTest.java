package dev.reckoner.review;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.improve.PostgresFixture;
import dev.reckoner.improve.PreferenceFile;
import dev.reckoner.inference.TinyTokenizer;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.tuning.PreferencePair;
import dev.reckoner.tuning.Sample;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the DPO export writes is what preference training reads. */
class ExportedPairsTest {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String SHARED = "cite a = 120 @ r1c1\ncite b = 100 @ r1c2";
  private static final String WRONG = "compute c = a + b = 220\nconclude c = 220";
  private static final String RIGHT = "compute c = a - b = 20\nconclude c = 20";

  @TempDir Path dir;

  @Test
  void correctionsAreExportedAsPairsThatTrainFromTheFirstChangedStep() throws IOException {
    Path file = dir.resolve("pairs.jsonl");
    try (PostgresFixture database = new PostgresFixture()) {
      database.fresh();
      Evidence evidence =
          new Evidence(
              "Acme, 2023",
              "What is the change of net sales?",
              List.of(
                  new Evidence.Table(
                      "", List.of(List.of("", "2023", "2022"), List.of("Net", "120", "100")))),
              List.of());
      String json = JSON.writeValueAsString(evidence);
      database.decide(
          database.analysis(json, SHARED + "\n" + WRONG), "correct", SHARED + "\n" + RIGHT);
      // Sent as a correction, but nothing was changed.
      database.decide(
          database.analysis(json, SHARED + "\n" + RIGHT), "correct", SHARED + "\n" + RIGHT);
      database.decide(database.analysis(json, SHARED + "\n" + RIGHT), "approve", null);
      try (OutputStream out = Files.newOutputStream(file)) {
        new Exports(database.jdbi, JSON).write(Exports.Format.DPO, out);
      }
    }
    TinyTokenizer.write(dir);
    try (GemmaTokenizer tokenizer = GemmaTokenizer.read(dir)) {
      PreferenceFile read = PreferenceFile.read(file, tokenizer, 4096, 2048);
      assertThat(read.pairs()).hasSize(1);
      PreferencePair pair = read.pairs().getFirst();
      assertThat(scored(tokenizer, pair.chosen())).isEqualTo("\n" + RIGHT + "\n");
      assertThat(scored(tokenizer, pair.rejected())).isEqualTo("\n" + WRONG + "\n");
      assertThat(tokenizer.decode(pair.chosen().tokens()))
          .contains("What is the change of net sales?", SHARED + "\n" + RIGHT);
    }
  }

  private static String scored(GemmaTokenizer tokenizer, Sample sample) {
    return tokenizer.decode(
        IntStream.range(0, sample.length())
            .filter(t -> sample.supervised()[t])
            .map(t -> sample.tokens()[t])
            .toArray());
  }
}
