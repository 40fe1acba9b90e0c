package dev.reckoner.tuning;

import java.util.List;

/** Which examples each optimiser step sees, as a function of recipe and step. */
final class Curriculum<E extends Example> {
  private final Recipe recipe;
  private final List<E> examples;
  private final int stepsPerEpoch;
  private final long steps;
  private int packedEpoch = -1;
  private List<List<E>> packed;

  Curriculum(Recipe recipe, List<E> examples) {
    if (examples.isEmpty()) {
      throw new RecipeException("there is nothing to train on");
    }
    this.recipe = recipe;
    this.examples = List.copyOf(examples);
    int accumulation = recipe.accumulation();
    stepsPerEpoch = (packed(0).size() + accumulation - 1) / accumulation;
    steps =
        recipe.maxSteps() > 0
            ? recipe.maxSteps()
            : Math.max(1, Math.round((double) recipe.epochs() * stepsPerEpoch));
  }

  private List<List<E>> packed(int epoch) {
    if (epoch != packedEpoch) {
      packed = Packing.bestFit(examples, recipe.tokensPerMicroBatch(), recipe.seed() + epoch);
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
  List<List<E>> groups(long step) {
    List<List<E>> all = packed(epoch(step));
    int from = (int) (step % stepsPerEpoch) * recipe.accumulation();
    return all.subList(from, Math.min(all.size(), from + recipe.accumulation()));
  }

  /** Whether an evaluation is due when {@code step} steps are done. */
  boolean evaluateAfter(long step) {
    int every = recipe.evaluateEvery() > 0 ? recipe.evaluateEvery() : stepsPerEpoch;
    return step % every == 0;
  }
}
