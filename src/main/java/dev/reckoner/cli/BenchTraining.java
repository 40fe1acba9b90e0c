package dev.reckoner.cli;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.tuning.Recipe;
import dev.reckoner.tuning.Sample;
import dev.reckoner.tuning.StepMetrics;
import dev.reckoner.tuning.Trainer;
import dev.reckoner.tuning.TrainingListener;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * The rate of whole steps of the trainer, optimiser included: packed sequences of random tokens,
 * every one supervised, an adapter of rank 16 on all linear layers.
 */
final class BenchTraining {

  private static final int WARM_UP = 3;

  private BenchTraining() {}

  static BenchRate run(Gemma3 model, BenchProbe probe, int sequences, int length, int iterations) {
    Recipe recipe =
        Recipe.parse(
            "rank: 16\ntokensPerMicroBatch: %d\nmaxSteps: %d"
                .formatted(sequences * length, WARM_UP + iterations));
    BenchSeries series = new BenchSeries();
    TrainingListener timing =
        new TrainingListener() {
          @Override
          public void step(StepMetrics metrics) {
            if (metrics.step() <= WARM_UP) {
              probe.settle();
            } else {
              probe.book(series, metrics.seconds());
            }
          }
        };
    long trained;
    Path out = BenchCommand.temporary();
    try (LoraAdapter adapter = LoraAdapter.create(model, "bench", recipe.lora(), recipe.seed());
        Trainer trainer = new Trainer(model, adapter, recipe)) {
      trained = adapter.parameters().size();
      trainer.run(samples(model.config().vocabulary(), sequences, length), List.of(), out, timing);
    } finally {
      BenchCommand.delete(out);
    }
    double seconds = series.median(probe.best());
    double flops = BenchWork.trainingStep(model.config(), trained, sequences, length);
    return new BenchRate(
        "QLoRA step, %d x %d tokens".formatted(sequences, length),
        BenchReport.OURS,
        seconds,
        sequences * length / seconds,
        flops / seconds / 1e9,
        Double.NaN,
        series.kept(probe.best()),
        series.size());
  }

  private static List<Sample> samples(int vocabulary, int sequences, int length) {
    SplittableRandom random = new SplittableRandom(1);
    List<Sample> samples = new ArrayList<>();
    for (int s = 0; s < sequences; s++) {
      samples.add(Sample.text(random.ints(length, 0, vocabulary).toArray()));
    }
    return samples;
  }
}
