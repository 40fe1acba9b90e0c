package dev.reckoner.cli;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Rates of the engine against what the machine was measured to do in the same run. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    description = "Measures prefill, decode and training rates against the machine's limits.")
public final class BenchCommand implements Callable<Integer> {

  private static final String BUNDLED = "bundled";

  /** What is measured. */
  enum Subject {
    INFERENCE,
    TRAINING
  }

  @Parameters(paramLabel = "WHAT", description = "inference or training.")
  private Subject subject;

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description = "A checkpoint; without one, the weights of --shape.")
  private Path model;

  @Option(
      names = "--shape",
      description =
          "gemma-3-270m, gemma-3-1b or gemma-3-4b with random weights, or bundled: the model that"
              + " ships with the program (default: gemma-3-1b for inference, bundled for"
              + " training).")
  private String shape;

  @Option(
      names = "--precision",
      defaultValue = "NF4",
      description = "Of the linear layers (default: ${DEFAULT-VALUE}).")
  private Precision precision;

  @Option(
      names = "--embedding",
      description =
          "Of embedding and head (default: INT8 for inference on a CPU, else BF16, as train has"
              + " it).")
  private Precision embedding;

  @Option(
      names = "--prompt",
      defaultValue = "512",
      description = "Tokens of a prefill and of a training sequence (default: ${DEFAULT-VALUE}).")
  private int prompt;

  @Option(
      names = "--sequences",
      defaultValue = "4",
      description = "Sequences packed into a training step (default: ${DEFAULT-VALUE}).")
  private int sequences;

  @Option(names = "--iterations", defaultValue = "9", description = "Timed repetitions.")
  private int iterations;

  @Option(
      names = "--backend",
      defaultValue = "cpu",
      description = Backends.NAMES + " (default: ${DEFAULT-VALUE}).")
  private String backendName;

  @Option(names = "--threads", defaultValue = "0", description = "CPU threads; 0 for all.")
  private int threads;

  @Option(names = "--json", description = "One JSON object instead of a table.")
  private boolean json;

  /** Runs without the rest of the program: {@code java -cp … dev.reckoner.cli.BenchCommand}. */
  public static void main(String... args) {
    System.exit(PlainMain.execute(new BenchCommand(), args));
  }

  @Override
  public Integer call() {
    int count = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
    try (Backend backend = Backends.open(backendName, OptionalInt.of(count))) {
      boolean cpu = backend.name().equals("cpu");
      try (Gemma3 gemma = open(backend, cpu);
          BenchProbe probe = new BenchProbe(cpu ? count : 0)) {
        BenchReport report = new BenchReport(backend.description(), name());
        report.memory("when loaded");
        if (subject == Subject.INFERENCE) {
          BenchInference bench = new BenchInference(gemma, probe, iterations);
          report.add(bench.prefill(prompt));
          report.add(bench.decode(1, prompt));
          report.add(bench.decode(8, prompt));
        } else {
          report.add(BenchTraining.run(gemma, probe, sequences, prompt, iterations));
        }
        report.memory("at the end");
        probe.remeasure();
        System.out.println(json ? report.json(probe.limit()) : report.table(probe.limit()));
      }
    }
    return 0;
  }

  private Gemma3 open(Backend backend, boolean cpu) {
    if (embedding == null) {
      embedding = cpu && subject == Subject.INFERENCE ? Precision.INT8 : Precision.BF16;
    }
    Path checkpoint = checkpoint();
    return checkpoint != null
        ? Gemma3.load(checkpoint, backend, precision, embedding)
        : Gemma3.random(GemmaConfig.released(shape()), backend, precision, embedding, 1);
  }

  /** Null for random weights. */
  private Path checkpoint() {
    return model != null || !shape().equals(BUNDLED)
        ? model
        : BundledModel.directory(new ServerOptions().dataDirectory().resolve("model-cache"));
  }

  private String shape() {
    if (shape != null) {
      return shape;
    }
    return subject == Subject.INFERENCE ? "gemma-3-1b" : BUNDLED;
  }

  private String name() {
    return "%s, %s, embedding %s".formatted(model == null ? shape() : model, precision, embedding);
  }
}
