package dev.reckoner.tuning;

import java.util.List;

/** Which samples each optimiser step sees, as a function of recipe and step. */
final class Curriculum {
  private final Recipe recipe;
  private final List<Sample> samples;
  private final int stepsPerEpoch;
  private final long steps;
  private int packedEpoch = -1;
  private List<List<Sample>> packed;

  Curriculum(Recipe recipe, List<Sample> samples) {
    if (samples.isEmpty()) {
      throw new RecipeException("there are no samples to train on");
    }
    this.recipe = recipe;
    this.samples = List.copyOf(samples);
    int accumulation = recipe.accumulation();
    stepsPerEpoch = (packed(0).size() + accumulation - 1) / accumulation;
    steps =
        recipe.maxSteps() > 0
            ? recipe.maxSteps()
            : Math.max(1, Math.round((double) recipe.epochs() * stepsPerEpoch));
  }

  private List<List<Sample>> packed(int epoch) {
    if (epoch != packedEpoch) {
      packed = Packing.bestFit(samples, recipe.tokensPerMicroBatch(), recipe.seed() + epoch);
      packedEpoch = epoch;
    }
    return packed;
  }

  long steps() {
    return steps;
  }

  int epoch(long step) {
    return (int) (step / stepsPerEpoch);
  }

  /** The micro-batches of step {@code step} (from 0). */
  List<List<Sample>> groups(long step) {
    List<List<Sample>> all = packed(epoch(step));
    int from = (int) (step % stepsPerEpoch) * recipe.accumulation();
    return all.subList(from, Math.min(all.size(), from + recipe.accumulation()));
  }

  /** Whether an evaluation is due when {@code step} steps are done. */
  boolean evaluateAfter(long step) {
    int every = recipe.evaluateEvery() > 0 ? recipe.evaluateEvery() : stepsPerEpoch;
    return step % every == 0;
  }
}
