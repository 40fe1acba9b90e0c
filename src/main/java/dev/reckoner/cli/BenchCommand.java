package dev.reckoner.cli;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Rates of the engine against what the machine was measured to do in the same run. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    description = {
      "Measures prefill, decode, whole analyses or training steps against the limits that the"
          + " machine shows in the same run.",
      "A repetition counts where a probe beside it found all cores; kept says how many did."
    })
public final class BenchCommand implements Callable<Integer> {

  private static final String BUNDLED = "bundled";

  /** What is measured. */
  enum Subject {
    INFERENCE,
    TRAINING
  }

  /** Measurements of inference. */
  enum Part {
    START,
    PREFILL,
    DECODE,
    PREFIX,
    ANALYSIS
  }

  @Spec private CommandSpec spec;

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
      names = "--batch",
      paramLabel = "N",
      split = ",",
      defaultValue = "1,8",
      description =
          "Sequences that are decoded together, each in turn (default: ${DEFAULT-VALUE}).")
  private int[] batches;

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

  @Option(
      names = "--only",
      paramLabel = "PART",
      split = ",",
      defaultValue = "start,prefill,decode,prefix,analysis",
      description = "For inference, what to measure (default: ${DEFAULT-VALUE}).")
  private Set<Part> only;

  @Option(
      names = "--peer",
      paramLabel = "NAME",
      description =
          "For inference: take turns with llama.cpp on the same shape (Q4_0, Q8_0 embedding); run"
              + " npm install in evaluation/peers once.")
  private String peer;

  @Option(
      names = "--peers",
      paramLabel = "DIR",
      hidden = true,
      defaultValue = "evaluation/peers",
      description = "Where the peer's script is.")
  private Path peers;

  @Option(
      names = "--write-gguf",
      paramLabel = "FILE",
      description =
          "Write the shape with random weights as GGUF for the peer and keep it; with --peer, an"
              + " existing file is used as it is.")
  private Path gguf;

  @Option(names = "--json", description = "One JSON object instead of a table.")
  private boolean json;

  /** Runs without the rest of the program: {@code java -cp … dev.reckoner.cli.BenchCommand}. */
  public static void main(String... args) {
    System.exit(PlainMain.execute(new BenchCommand(), args));
  }

  @Override
  public Integer call() {
    Usage.positive(spec, "--prompt", prompt);
    Usage.positive(spec, "--sequences", sequences);
    Usage.positive(spec, "--iterations", iterations);
    for (int batch : batches) {
      Usage.positive(spec, "--batch", batch);
    }
    if (gguf != null && peer == null) {
      return writeGguf();
    }
    int count = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
    try (Backend backend = Backends.open(backendName, OptionalInt.of(count))) {
      boolean cpu = backend.name().equals("cpu");
      try (Gemma3 gemma = open(backend, cpu);
          BenchProbe probe = new BenchProbe(cpu ? count : 0)) {
        BenchReport report = new BenchReport(backend.description(), name());
        report.memory("when loaded");
        if (subject == Subject.INFERENCE) {
          infer(gemma, probe, report, cpu ? count : 0);
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

  private int writeGguf() {
    Path work = temporary();
    try {
      Path from = checkpoint();
      GemmaConfig config = from == null ? GemmaConfig.released(shape()) : GemmaConfig.read(from);
      BenchVocabulary.enlarge(from == null ? bundled() : from, config.vocabulary(), work);
      writeGguf(config, work, gguf);
      return 0;
    } finally {
      delete(work);
    }
  }

  private void infer(Gemma3 gemma, BenchProbe probe, BenchReport report, int count) {
    Path work = temporary();
    boolean requests = only.contains(Part.PREFIX) || only.contains(Part.ANALYSIS);
    boolean words = requests || peer != null;
    try (GemmaTokenizer tokenizer = words ? tokenizer(gemma.config(), work) : null;
        BenchPeer other = peer == null ? null : peer(gemma.config(), work, count)) {
      if (only.contains(Part.START)) {
        start(work, probe, report);
      }
      BenchInference bench = new BenchInference(gemma, other, probe, report, iterations);
      if (only.contains(Part.PREFILL)) {
        bench.prefill(prompt);
      }
      if (only.contains(Part.DECODE)) {
        for (int batch : batches) {
          bench.decode(batch, prompt);
        }
      }
      if (requests) {
        requests(bench, gemma, tokenizer);
      }
      if (other != null) {
        report.peer(other.version(), other.megabytes());
      }
    } finally {
      delete(work);
    }
  }

  private void requests(BenchInference bench, Gemma3 gemma, GemmaTokenizer tokenizer) {
    try (BenchRequests requests = new BenchRequests(gemma, tokenizer)) {
      if (only.contains(Part.PREFIX)) {
        bench.prefix(requests, prompt);
      }
      if (only.contains(Part.ANALYSIS)) {
        bench.analysis(requests);
      }
    }
  }

  private void start(Path work, BenchProbe probe, BenchReport report) {
    String launcher = System.getProperty(BenchStart.LAUNCHER);
    if (launcher == null) {
      System.err.println("the start is left out: it is measured by ./reckoner bench alone");
      return;
    }
    System.err.println("measuring start to first token");
    report.add(BenchStart.run(Path.of(launcher), work, probe, iterations));
  }

  private BenchPeer peer(GemmaConfig config, Path work, int count) {
    if (!peer.equals(BenchPeer.NAME)) {
      throw new UserException("no peer %s: %s is known".formatted(peer, BenchPeer.NAME));
    }
    if (count == 0) {
      throw new UserException("the peer runs on the CPU: leave --backend or --peer out");
    }
    Path weights = gguf == null ? work.resolve("model.gguf") : gguf;
    if (!Files.exists(weights)) {
      writeGguf(config, work, weights);
    }
    return new BenchPeer(peers, weights, count);
  }

  private static void writeGguf(GemmaConfig config, Path tokenizer, Path file) {
    BenchGguf.write(config, BenchVocabulary.pieces(tokenizer, config.vocabulary()), file);
  }

  /** A tokenizer of the model's size, whose file lies in {@code work} too. */
  private GemmaTokenizer tokenizer(GemmaConfig config, Path work) {
    Path from = checkpoint();
    BenchVocabulary.enlarge(from == null ? bundled() : from, config.vocabulary(), work);
    return GemmaTokenizer.read(work);
  }

  private static Path bundled() {
    return BundledModel.directory(new ServerOptions().dataDirectory().resolve("model-cache"));
  }

  static Path temporary() {
    try {
      return Files.createTempDirectory("reckoner-bench");
    } catch (IOException e) {
      throw new UncheckedIOException("no temporary directory can be made", e);
    }
  }

  static void delete(Path directory) {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(directory + " can not be removed", e);
    }
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
    return model != null || !shape().equals(BUNDLED) ? model : bundled();
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
