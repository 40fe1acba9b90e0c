package dev.reckoner.inference;

import java.time.Duration;
import java.util.List;

/**
 * What came of a {@link Request}.
 *
 * @param text what was written, forced text included, without the end-of-turn token
 * @param tokens the text as tokens, as training would tokenise it (see {@link Transcript})
 * @param choices the model's own decisions, in order
 * @param finish why it ended; {@code text} is a whole answer only after {@link FinishReason#STOP}
 * @param promptTokens length of the prompt
 * @param reusedPromptTokens how many of them were taken from the prefix cache
 * @param forcedTokens how many of {@code tokens} cost no decision
 * @param queued waiting time before the engine took the request up
 * @param took time from then to the end
 * @param calibration what makes a confidence of certainty
 */
public record Generation(
    String text,
    int[] tokens,
    List<Choice> choices,
    FinishReason finish,
    int promptTokens,
    int reusedPromptTokens,
    int forcedTokens,
    Duration queued,
    Duration took,
    ConfidenceMap calibration) {

  public Generation {
    choices = List.copyOf(choices);
  }

  /**
   * How likely the text is right, in [0, 1]: the {@link #certainty()} of its tokens, by the model's
   * {@link ConfidenceMap}.
   */
  public double confidence() {
    return calibration.apply(certainty());
  }

  /**
   * The geometric mean of the probabilities of the model's choices, in (0, 1]: 1 where it had none.
   * It is comparable between texts of different length, and forced text neither raises nor lowers
   * it.
   */
  public double certainty() {
    return certainty(0, text.length() + 1);
  }

  /** The same over the choices whose text starts in {@code [from, to)}, for example one line. */
  public double certainty(int from, int to) {
    return Math.exp(
        choices.stream()
            .filter(choice -> choice.offset() >= from && choice.offset() < to)
            .mapToDouble(Choice::logProbability)
            .average()
            .orElse(0));
  }
}
