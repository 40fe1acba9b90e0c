package dev.reckoner.improve;

import dev.reckoner.corpus.Problem;
import dev.reckoner.evaluation.SyntheticSuite;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.inference.InferenceEngine;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * What an adapter costs a token, as the gate measures it. Not a test: {@code java … -cp
 * target/test-classes:target/classes:… dev.reckoner.improve.ServingCostMeasurement ADAPTER
 * [REPETITIONS]} on an idle machine. The model measured against itself says how much is chance.
 */
public final class ServingCostMeasurement {

  private ServingCostMeasurement() {}

  public static void main(String... args) throws Exception {
    Path directory = Path.of(args[0]);
    int repetitions = args.length > 1 ? Integer.parseInt(args[1]) : 5;
    Path model = BundledModel.directory(Files.createTempDirectory("model"));
    List<Problem> problems =
        SyntheticSuite.of("finance", SyntheticSuite.SEED, 60).limited(11).problems();
    AdapterFiles files = AdapterFiles.read(directory);
    try (Reasoner reasoner =
        Reasoner.open(model, Backends.open("cpu"), Precision.NF4, InferenceEngine.Limits.DEFAULT)) {
      Reasoner.Options options = Reasoner.Options.DEFAULT;
      LoraAdapter adapter = reasoner.load(directory);
      for (int i = 0; i < repetitions; i++) {
        print("adapter", measure(reasoner, model, adapter, files, problems, options));
        print("itself", measure(reasoner, model, null, files, problems, options));
      }
      reasoner.engine().retire(adapter);
    }
  }

  private static ServingCost measure(
      Reasoner reasoner,
      Path model,
      LoraAdapter adapter,
      AdapterFiles files,
      List<Problem> problems,
      Reasoner.Options options)
      throws Exception {
    return ServingCost.measure(reasoner, model, null, adapter, files, problems, options);
  }

  private static void print(String what, ServingCost cost) {
    System.out.printf(
        Locale.ROOT,
        "%-8s %.3f times; %.3f ms a token against %.3f%n",
        what,
        cost.slowdown(),
        1e3 * cost.candidateSeconds(),
        1e3 * cost.championSeconds());
  }
}
