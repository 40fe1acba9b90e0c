package dev.reckoner.tuning;

import java.util.List;

/** A fixed list of examples, packed anew for each epoch. */
final class Curriculum<E extends Example> implements Feed<E> {
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

  @Override
  public long steps() {
    return steps;
  }

  @Override
  public int epoch(long step) {
    return (int) (step / stepsPerEpoch);
  }

  @Override
  public List<List<E>> groups(long step) {
    List<List<E>> all = packed(epoch(step));
    int from = (int) (step % stepsPerEpoch) * recipe.accumulation();
    return all.subList(from, Math.min(all.size(), from + recipe.accumulation()));
  }

  @Override
  public boolean evaluateAfter(long step) {
    int every = recipe.evaluateEvery() > 0 ? recipe.evaluateEvery() : stepsPerEpoch;
    return step % every == 0;
  }
}
