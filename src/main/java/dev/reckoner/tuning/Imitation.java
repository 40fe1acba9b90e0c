package dev.reckoner.tuning;

import dev.reckoner.gemma.TrainingPass;
import java.util.List;

/** Supervised fine-tuning: cross-entropy of the supervised tokens, each token counting the same. */
final class Imitation implements Objective<Sample> {
  @Override
  public int units(Sample sample) {
    return sample.targets();
  }

  @Override
  public void accumulate(
      TrainingPass pass, List<Sample> group, float share, long dropoutSeed, Tally tally) {
    add(tally, pass.accumulate(Packing.pack(group, share), dropoutSeed));
  }

  @Override
  public void evaluate(TrainingPass pass, List<Sample> group, Tally tally) {
    add(tally, pass.losses(Packing.pack(group, 1)));
  }

  private static void add(Tally tally, float[] losses) {
    for (float loss : losses) {
      tally.add(loss, 1);
    }
  }
}
