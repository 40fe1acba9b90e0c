package dev.reckoner.evaluation;

import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.FinishReason;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.InferenceException;
import dev.reckoner.inference.Reasoned;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import java.time.Duration;

/**
 * A loaded model as it serves: the same prompt, grammar and calculator, with one adapter.
 *
 * @param adapter {@code null} for the base model
 */
public record ReasonerSolver(Reasoner reasoner, LoraAdapter adapter, Reasoner.Options options)
    implements Solver {

  @Override
  public Solution solve(Evidence evidence) throws InterruptedException {
    Generation generation;
    try {
      generation = reasoner.engine().generate(reasoner.request(evidence, adapter, options));
    } catch (InferenceException.TooLong e) {
      // A page that is longer than the model's context is a question it cannot answer.
      return Solution.failed(e.getMessage(), 0, Duration.ZERO);
    }
    int tokens = generation.tokens().length;
    if (generation.finish() != FinishReason.STOP) {
      return Solution.failed("did not conclude: " + generation.finish(), tokens, generation.took());
    }
    try {
      Reasoned reasoned = Reasoned.of(evidence, generation);
      return new Solution(
          reasoned.chain(),
          null,
          generation.confidence(),
          generation.certainty(),
          tokens,
          generation.took());
    } catch (ChainSyntaxException e) {
      return Solution.failed("wrote no chain: " + e.getMessage(), tokens, generation.took());
    }
  }
}
