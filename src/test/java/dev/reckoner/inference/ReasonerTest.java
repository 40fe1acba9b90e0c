package dev.reckoner.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.TextConstraint;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.tensor.Precision;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReasonerTest {

  private static final Evidence EVIDENCE =
      new Evidence(
          "Acme, FY2024",
          "By how much did net sales change?",
          List.of(
              new Evidence.Table(
                  "in USD millions",
                  List.of(List.of("", "2024", "2023"), List.of("Net sales", "9,896", "8,181")))),
          List.of("The gross margin was 21.5 % in 2024."),
          true);

  @TempDir static Path dir;
  static Reasoner reasoner;

  @BeforeAll
  static void open() throws Exception {
    TinyModel.write(dir, 4096);
    reasoner =
        Reasoner.open(dir, TinyModel.backend(), Precision.NF4, InferenceEngine.Limits.DEFAULT);
  }

  @AfterAll
  static void close() {
    reasoner.close();
  }

  @Test
  void whateverAModelWritesCitesAndComputesRight() throws Exception {
    int computed = 0;
    for (int seed = 0; seed < 4; seed++) {
      Reasoned reasoned = Reasoned.of(EVIDENCE, sampled(seed));
      assertThat(reasoned.verdicts())
          .as(reasoned.generation().text())
          .extracting(Verdict::kind)
          .doesNotContain(Verdict.Kind.UNSUPPORTED_FIGURE, Verdict.Kind.WRONG_ARITHMETIC);
      assertThat(reasoned.answer()).isNotBlank();
      assertThat(reasoned.confidences()).hasSameSizeAs(reasoned.chain().steps());
      computed += reasoned.generation().text().contains("compute ") ? 1 : 0;
    }
    assertThat(computed).isPositive();
  }

  @Test
  void aChainIsTokenisedAsTrainingTokenisesIt() throws Exception {
    int lines = 0;
    for (int seed = 0; seed < 4; seed++) {
      Generation generation = sampled(seed);
      String text = generation.text();
      int lastLine = text.stripTrailing().lastIndexOf('\n') + 1;
      assertThat(generation.tokens())
          .startsWith(reasoner.tokenizer().encode(text.substring(0, lastLine), false));
      lines += (int) text.lines().count();
    }
    assertThat(lines).isGreaterThan(16);
  }

  /** A chain of at least six lines, drawn token by token. */
  private static Generation sampled(int seed) throws InterruptedException {
    Request request =
        reasoner.request(
            EVIDENCE,
            null,
            new Reasoner.Options(new Sampler(1, 0, 1, seed), 3000, Duration.ofMinutes(2)));
    return reasoner
        .engine()
        .generate(
            new Request(
                request.prompt(),
                request.sharedPrefix(),
                new Reluctant(request.constraint(), 5),
                null,
                request.sampler(),
                request.maxTokens(),
                request.timeLimit()));
  }

  /** Random weights like to conclude at once; this keeps them from it for some lines. */
  private record Reluctant(TextConstraint constraint, int lines) implements TextConstraint {
    @Override
    public State start() {
      return new Line(constraint.start(), "", lines);
    }

    @Override
    public String version() {
      return constraint.version();
    }

    private record Line(TextConstraint.State state, String text, int left)
        implements TextConstraint.State {
      @Override
      public TextConstraint.State next(char c) {
        TextConstraint.State after = state.next(c);
        String line = text + c;
        boolean towardsConclusion =
            line.equals("con") || (line.equals("co") && after != null && after.next('m') == null);
        if (after == null || (left > 0 && towardsConclusion)) {
          return null;
        }
        return c == '\n' ? new Line(after, "", left - 1) : new Line(after, text + c, left);
      }

      @Override
      public boolean accepting() {
        return state.accepting();
      }

      @Override
      public String forced() {
        return state.forced();
      }
    }
  }

  @Test
  void theSecondPromptReusesTheInstruction() throws Exception {
    reasoner.reason(EVIDENCE, null, Reasoner.Options.DEFAULT);
    Generation second = reasoner.reason(EVIDENCE, null, Reasoner.Options.DEFAULT).generation();
    assertThat(second.reusedPromptTokens()).isGreaterThan(20);
  }

  @Test
  void aChainThatDoesNotConcludeIsAFailure() {
    Reasoner.Options brief = new Reasoner.Options(Sampler.GREEDY, 4, Duration.ofMinutes(1));
    assertThatThrownBy(() -> reasoner.reason(EVIDENCE, null, brief))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("did not conclude (LENGTH)");
  }
}
