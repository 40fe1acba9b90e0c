package dev.reckoner.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.InferenceBenchmark;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.gemma.LoraSpec;
import dev.reckoner.gemma.Rate;
import dev.reckoner.gemma.TrainingBenchmark;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import dev.reckoner.tensor.cpu.MachineLimit;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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
      description = "A checkpoint; without one, random weights of --shape.")
  private Path model;

  @Option(
      names = "--shape",
      defaultValue = "gemma-3-270m",
      description =
          "gemma-3-270m, gemma-3-1b or gemma-3-4b (default: ${DEFAULT-VALUE}); 1b needs a heap"
              + " of 3 GB.")
  private String shape;

  @Option(
      names = "--precision",
      defaultValue = "NF4",
      description = "Of the linear layers (default: ${DEFAULT-VALUE}).")
  private Precision precision;

  @Option(
      names = "--embedding",
      defaultValue = "INT8",
      description = "Of embedding and head; GPUs hold it in BF16 (default: ${DEFAULT-VALUE}).")
  private Precision embedding;

  @Option(names = "--prompt", defaultValue = "512", description = "Prompt tokens of a prefill.")
  private int prompt;

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
      MachineLimit limit = cpu ? MachineLimit.measure(count) : null;
      List<Rate> rates = new ArrayList<>();
      try (Gemma3 gemma = open(backend, cpu)) {
        if (subject == Subject.INFERENCE) {
          InferenceBenchmark bench = new InferenceBenchmark(gemma, iterations);
          rates.add(bench.prefill(prompt));
          rates.add(bench.decode(1, prompt));
          rates.add(bench.decode(8, prompt));
        } else {
          try (LoraAdapter adapter =
              LoraAdapter.create(gemma, "bench", LoraSpec.allLinear(16, 16), 1)) {
            rates.add(TrainingBenchmark.run(gemma, adapter, 4, prompt, iterations));
          }
        }
      }
      System.out.println(json ? json(backend, limit, rates) : table(backend, limit, rates));
    }
    return 0;
  }

  private Gemma3 open(Backend backend, boolean cpu) {
    Precision head = cpu ? embedding : Precision.BF16;
    return model != null
        ? Gemma3.load(model, backend, precision, head)
        : Gemma3.random(GemmaConfig.released(shape), backend, precision, head, 1);
  }

  private String table(Backend backend, MachineLimit limit, List<Rate> rates) {
    StringBuilder text = new StringBuilder(backend.description()).append('\n');
    if (limit != null) {
      text.append(
          "limits measured now: %.0f GFLOP/s fp32, %.1f GB/s%n"
              .formatted(limit.gflops(), limit.gigabytesPerSecond()));
    }
    text.append(
        "%-24s %10s %10s %10s %8s %8s%n"
            .formatted("", "ms", "tok/s", "GFLOP/s", "GB/s", "of limit"));
    for (Rate r : rates) {
      text.append(
          "%-24s %10.1f %10.1f %10.1f %8s %8s%n"
              .formatted(
                  r.name(),
                  r.seconds() * 1e3,
                  r.tokensPerSecond(),
                  r.gflops(),
                  Double.isNaN(r.gigabytesPerSecond())
                      ? ""
                      : "%.1f".formatted(r.gigabytesPerSecond()),
                  limit == null ? "" : "%.0f%%".formatted(100 * fraction(r, limit))));
    }
    return text.toString().stripTrailing();
  }

  /** The larger of the shares of compute and bandwidth that a rate uses. */
  private static double fraction(Rate r, MachineLimit limit) {
    double compute = r.gflops() / limit.gflops();
    return Double.isNaN(r.gigabytesPerSecond())
        ? compute
        : Math.max(compute, r.gigabytesPerSecond() / limit.gigabytesPerSecond());
  }

  private String json(Backend backend, MachineLimit limit, List<Rate> rates) {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    root.put("backend", backend.description());
    root.put("model", model == null ? shape : model.toString());
    root.put("precision", precision.name());
    if (limit != null) {
      root.set("limit", mapper.valueToTree(limit));
    }
    var list = root.putArray("rates");
    for (Rate r : rates) {
      ObjectNode node = mapper.valueToTree(r);
      if (Double.isNaN(r.gigabytesPerSecond())) {
        node.remove("gigabytesPerSecond");
      }
      if (limit != null) {
        node.put("fractionOfLimit", fraction(r, limit));
      }
      list.add(node);
    }
    return root.toPrettyString();
  }
}
