package dev.reckoner.teacher;

import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.reckoner.corpus.SyntheticGenerator;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainGrammar;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.Step;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * The chain format told to a model that has never seen it: rules, and solved problems as earlier
 * turns of the talk. The page is rendered as for the model that learns.
 */
final class TeacherPrompt {

  private static final long EXAMPLE_SEED = 7;

  /** One example of each; the last shows what to do where the page does not say. */
  private static final List<String> EXAMPLES =
      List.of("growth", "operatingMargin", "greaterItem", "averageOfTwo", "notStatedItem");

  private static final int EXAMPLE_CHARACTERS = 1_200;

  private static final String RULES =
      """
      You answer a question about a page of a financial document with a chain of steps. Write one step a line and \
      nothing else: no introduction, no explanation, no code fence.

      The page comes as lines. "r3 Revenue|120|115" is row 3 of the first table: its label is cell 0, 120 is cell 1, \
      115 is cell 2. Rows of further tables begin with t1.r3, t2.r3 and so on. "s2 ..." is sentence 2. The line that \
      begins with q holds the question.

      Steps take the names a, b, c, ... in the order in which they are written.
      - cite a = NUMBER @ PLACE
        NUMBER is a figure exactly as the page writes its digits, without currency, scale or percent sign; a minus \
      for a number in parentheses. PLACE is where it stands: r3c1, t1.r3c1, or s2.
      - compute c = EXPRESSION
        EXPRESSION uses names of earlier steps, + - * / ^ and parentheses, sum avg max min, and one comparison > or < \
      for a yes-or-no question. Leave the result out: it is computed for you. End with "as %" where the answer is a \
      percentage: (a - b) / b as %. Numbers that may stand in it without being cited: CONSTANTS.
      - conclude c
        names the step that is the answer. It is the last line. Where the page does not hold what the question needs, \
      the only line is: conclude not stated
        If the question's line begins with "q!" instead of "q", add a judgement and risks: \
      conclude c ; stance positive ; flags none

      Cite every figure of the page that you use, and compute everything that the page does not print.\
      """
          .replace("CONSTANTS", String.join(" ", ChainGrammar.CONSTANTS));

  private final PromptFormat format = new PromptFormat();
  private final List<ChatMessage> opening;
  private final String version;

  /**
   * @param pack the domain that examples are taken from
   */
  TeacherPrompt(String pack) {
    opening = new ArrayList<>();
    opening.add(SystemMessage.from(RULES));
    StringBuilder all = new StringBuilder(RULES);
    for (SyntheticGenerator.Solved example : examples(pack)) {
      String page = format.render(example.problem().evidence());
      String chain = withoutResults(example.chain());
      opening.add(UserMessage.from(page));
      opening.add(AiMessage.from(chain));
      all.append('\n').append(page).append('\n').append(chain);
    }
    version = DigestUtils.sha256Hex(all.toString()).substring(0, 16);
  }

  /** Identifies rules and examples: answers of two versions are not of one run. */
  String version() {
    return version;
  }

  /** The talk that ends with this page and its question. */
  List<ChatMessage> messages(Evidence evidence) {
    List<ChatMessage> messages = new ArrayList<>(opening);
    messages.add(UserMessage.from(format.render(evidence)));
    return messages;
  }

  /** The first short problem of each family. */
  private static List<SyntheticGenerator.Solved> examples(String pack) {
    SyntheticGenerator generator = new SyntheticGenerator(pack, EXAMPLE_SEED, Split.TRAIN);
    Map<String, SyntheticGenerator.Solved> found = new LinkedHashMap<>();
    EXAMPLES.forEach(family -> found.put(family, null));
    for (long n = 0; n < 3_000 && found.containsValue(null); n++) {
      SyntheticGenerator.Solved solved = generator.problem(n);
      String family = solved.problem().origin().replaceFirst(".*/", "");
      if (found.containsKey(family)
          && found.get(family) == null
          && !solved.problem().evidence().stance()
          && new PromptFormat().render(solved.problem().evidence()).length() < EXAMPLE_CHARACTERS) {
        found.put(family, solved);
      }
    }
    return found.values().stream().filter(solved -> solved != null).toList();
  }

  /** As the rules ask: figures without unit, expressions without result. */
  static String withoutResults(Chain chain) {
    return chain.steps().stream()
        .map(
            step ->
                switch (step) {
                  case Step.Cite c ->
                      "cite "
                          + c.name()
                          + " = "
                          + c.figure().digits()
                          + " @ "
                          + c.place().address();
                  case Step.Compute c -> "compute " + c.name() + " = " + c.expression();
                  case Step.Conclude c when c.of() != null && c.stance() == null ->
                      "conclude " + c.of();
                  default -> step.text();
                })
        .collect(Collectors.joining("\n"));
  }
}
