package dev.reckoner.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.evaluation.Evaluator;
import dev.reckoner.evaluation.Grade;
import dev.reckoner.evaluation.Measurement;
import dev.reckoner.evaluation.Metric;
import dev.reckoner.evaluation.ReasonerSolver;
import dev.reckoner.evaluation.Solver;
import dev.reckoner.evaluation.Suite;
import dev.reckoner.evaluation.SuiteFile;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.InferenceEngine;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code evaluate} for machines that have the library and no service: its own program, no command
 * of {@code reckoner}.
 */
@Command(
    name = "score",
    mixinStandardHelpOptions = true,
    description = "Scores a model, with or without an adapter, on suites.")
public final class ScoreCommand implements Callable<Integer> {

  private static final int BATCH = 32;

  @Option(names = "--model", required = true, paramLabel = "DIR", description = "The model.")
  private Path model;

  @Option(names = "--adapter", paramLabel = "DIR", description = "A PEFT adapter for it.")
  private Path adapterFolder;

  @Option(
      names = "--suite",
      required = true,
      paramLabel = "FILE",
      description = "A suite, JSON Lines; may be repeated.")
  private List<Path> suites;

  @Option(names = "--limit", defaultValue = "1000000", description = "Problems of each suite.")
  private int limit;

  @Option(names = "--backend", defaultValue = "cpu", description = Backends.NAMES)
  private String backendName;

  @Option(names = "--threads", defaultValue = "0", description = "CPU threads; 0 for all.")
  private int threads;

  @Option(names = "--precision", defaultValue = "NF4", description = "NF4, BF16 or FP32.")
  private Precision precision;

  @Option(names = "--out", paramLabel = "FILE", description = "Also write every grade, as JSON.")
  private Path out;

  /** Runs without the rest of the program: {@code java -cp … dev.reckoner.cli.ScoreCommand}. */
  public static void main(String... args) {
    System.exit(PlainMain.execute(new ScoreCommand(), args));
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    Map<String, List<Grade>> grades = new TreeMap<>();
    try (Reasoner reasoner =
        Reasoner.open(
            model,
            Backends.open(backendName, threads > 0 ? OptionalInt.of(threads) : OptionalInt.empty()),
            precision,
            new InferenceEngine.Limits(BATCH, 4 * BATCH, 512, 4))) {
      LoraAdapter adapter = adapterFolder == null ? null : reasoner.load(adapterFolder);
      Solver solver = new ReasonerSolver(reasoner, adapter, Reasoner.Options.DEFAULT);
      for (Path file : suites) {
        Suite suite = SuiteFile.read(file).limited(limit);
        Measurement measured =
            new Evaluator(BATCH).measure(suite, model.toString(), solver, done -> {});
        System.out.printf("%s (%d)%n", suite.name(), suite.problems().size());
        for (Metric metric : Metric.values()) {
          System.out.printf("  %-32s %s%n", metric.text(), measured.metric(metric));
        }
        measured
            .slices()
            .forEach((name, score) -> System.out.printf("    %-30s %s%n", name, score));
        grades.put(suite.name(), measured.grades());
      }
    }
    if (out != null) {
      new ObjectMapper().writeValue(out.toFile(), grades);
    }
    return 0;
  }
}
