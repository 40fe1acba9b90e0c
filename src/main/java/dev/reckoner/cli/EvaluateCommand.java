package dev.reckoner.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.evaluation.Comparison;
import dev.reckoner.evaluation.EvaluationReport;
import dev.reckoner.evaluation.Evaluator;
import dev.reckoner.evaluation.Measurement;
import dev.reckoner.evaluation.ReasonerSolver;
import dev.reckoner.evaluation.ResultsPage;
import dev.reckoner.evaluation.Suite;
import dev.reckoner.evaluation.Suites;
import dev.reckoner.evaluation.SyntheticSuite;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.improve.AdapterRollout;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.inference.ConfidenceMap;
import dev.reckoner.inference.InferenceEngine;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Measures a model, with or without an adapter, and sets it beside another. */
@Command(
    name = "evaluate",
    mixinStandardHelpOptions = true,
    description = {
      "Puts suites to the model as it serves and prints metrics with 95%% intervals.",
      "With --against, a second adapter answers the same problems, and the difference is tested in"
          + " pairs. With --calibrate, learns how often the base model is right when it is how"
          + " sure.",
      "Needs no database and no broker."
    })
public final class EvaluateCommand implements Callable<Integer> {

  private static final String BASE = "base";
  private static final String INCUMBENT = "incumbent";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int BATCH = 16;
  private static final String PACK = "finance";

  /** No lessons are made with it. */
  private static final long CALIBRATION_SEED = 7_020_261_124L;

  @Option(
      names = "--suite",
      paramLabel = "NAME|FILE",
      description =
          "synthetic (the default), comparative, units, unanswerable, house-rule, a suite file"
              + " or a folder of them, or a FinQA, TAT-QA or ConvFinQA file; may be repeated.")
  List<String> suites = List.of("synthetic");

  @Option(
      names = "--limit",
      defaultValue = "200",
      paramLabel = "N",
      description = "The first N problems of each suite (default: ${DEFAULT-VALUE}).")
  int limit;

  @Option(
      names = "--gold-evidence",
      description = "Of published data sets: only the rows and sentences that the answer needs.")
  boolean goldEvidence;

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description = "A Gemma 3 checkpoint (default: the bundled model).")
  Path model;

  @Option(
      names = "--adapter",
      paramLabel = "DIR|ID",
      description =
          "A PEFT adapter, or the id of one that this data directory holds; base for none (default:"
              + " the adapter that serves).")
  String adapter;

  @Option(
      names = "--against",
      paramLabel = "DIR|ID",
      description = "What to compare it with: as --adapter; incumbent is the adapter that serves.")
  String against;

  @Option(
      names = "--calibrate",
      description = {
        "Ask the base model of --model fresh problems of the kind that models are trained on"
            + " (--limit of them, of no suite), and write beside it how often it is right when it"
            + " is how sure (calibration.json); confidences are that share from then on.",
      })
  boolean calibrate;

  @Option(
      names = "--calibrate-on",
      paramLabel = "FILE",
      description =
          "With --calibrate: ask these problems too, which must be of no lesson and no suite; may"
              + " be repeated. Each set counts the same.")
  List<String> calibrateOn = List.of();

  @Option(names = "--json", description = "Print JSON with every grade instead of a table.")
  boolean json;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Also write results.json and results.md there.")
  Path out;

  @Option(
      names = "--results",
      paramLabel = "DIR",
      description =
          "Add the scores to the results page in this folder (results.json, README.md, pictures);"
              + " what it holds of other weights goes.")
  Path results;

  @Option(
      names = "--from",
      paramLabel = "FILE",
      description =
          "Ask nothing: take the answers of earlier runs from the results.json that --out wrote;"
              + " may be repeated. --against names a model in them that all others are compared"
              + " with; with --model, confidences are made anew by its calibration.json; with"
              + " --calibrate, that file is made of the answers of the base.")
  List<Path> from = List.of();

  @Option(
      names = "--backend",
      defaultValue = "auto",
      description = Backends.NAMES + " (default: ${DEFAULT-VALUE}).")
  String backend;

  @Option(names = "--threads", defaultValue = "0", description = "CPU threads; 0 for all.")
  int threads;

  @Option(
      names = "--precision",
      defaultValue = "NF4",
      description = "NF4, BF16 or FP32 (default: ${DEFAULT-VALUE}).")
  Precision precision;

  @Option(
      names = "--max-tokens",
      defaultValue = "512",
      description = "Longest answer (default: ${DEFAULT-VALUE}).")
  int maxTokens;

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description =
          "Where ids of adapters are looked up (default: $RECKONER_DATA_DIR, else" + " .reckoner).")
  Path dataDir;

  /** Runs without the rest of the program: {@code java -cp … dev.reckoner.cli.EvaluateCommand}. */
  public static void main(String... args) {
    System.exit(PlainMain.execute(new EvaluateCommand(), args));
  }

  /** An adapter to measure. */
  private record Contender(String name, Optional<Path> directory) {}

  @Override
  public Integer call() throws IOException, InterruptedException {
    ServerOptions directories = new ServerOptions();
    directories.dataDir = dataDir;
    Path data = directories.dataDirectory();
    if (calibrate) {
      return calibrate();
    }
    if (!from.isEmpty()) {
      return readAgain();
    }
    List<Suite> opened =
        suites.stream()
            .flatMap(name -> Suites.folder(name).stream())
            .map(name -> Suites.open(name, limit, goldEvidence))
            .toList();
    Contender candidate = contender(adapter == null ? INCUMBENT : adapter, data);
    Optional<Contender> other = Optional.ofNullable(against).map(name -> contender(name, data));
    Path checkpoint = model != null ? model : BundledModel.directory(data.resolve("model-cache"));
    List<Measurement> measurements = new ArrayList<>();
    List<Comparison> comparisons = new ArrayList<>();
    ResultsPage.Setting setting;
    try (Progress progress = new Progress(System.err, false)) {
      progress.phase("loading");
      Backend device = device();
      String engine = device.description();
      try (Reasoner reasoner = open(checkpoint, device)) {
        setting =
            new ResultsPage.Setting(
                reasoner.modelHash(), LocalDate.now().toString(), engine, precision.toString());
        for (Suite suite : opened) {
          Measurement second = null;
          if (other.isPresent()) {
            second = measure(reasoner, suite, other.get(), progress);
            measurements.add(second);
          }
          Measurement first = measure(reasoner, suite, candidate, progress);
          measurements.add(first);
          if (second != null) {
            comparisons.add(Comparison.of(second, first));
          }
        }
      }
    }
    return report(setting, measurements, comparisons);
  }

  private int report(
      ResultsPage.Setting setting, List<Measurement> measurements, List<Comparison> comparisons)
      throws IOException {
    ObjectNode all = EvaluationReport.json(measurements, comparisons, true);
    all.set("setting", JSON.valueToTree(setting));
    String table = EvaluationReport.markdown(measurements, comparisons);
    if (out != null) {
      Files.createDirectories(out);
      Files.writeString(out.resolve("results.json"), all.toPrettyString() + "\n");
      Files.writeString(out.resolve("results.md"), table);
    }
    if (results != null) {
      ResultsPage.update(results, setting, measurements, comparisons);
    }
    System.out.println(json ? JSON.writeValueAsString(all) : table.strip());
    return 0;
  }

  /** What earlier runs answered; a later file's answers replace an earlier one's. */
  private record Earlier(ResultsPage.Setting setting, List<Measurement> measured) {}

  private Earlier earlier() {
    Map<List<String>, Measurement> measured = new LinkedHashMap<>();
    ResultsPage.Setting setting = null;
    Set<String> engines = new LinkedHashSet<>();
    for (Path file : from) {
      try {
        JsonNode read = JSON.readTree(file.toFile());
        ResultsPage.Setting own = JSON.treeToValue(read.path("setting"), ResultsPage.Setting.class);
        if (own == null) {
          throw new UserException(file + " is not what evaluate --out writes");
        }
        if (setting != null && !setting.weights().equals(own.weights())) {
          throw new UserException(
              "%s was measured of other weights than %s".formatted(file, from.getFirst()));
        }
        setting = own;
        engines.add(own.engine());
        for (Measurement m : EvaluationReport.measurements(read)) {
          measured.put(List.of(m.suite(), m.model()), m);
        }
      } catch (JsonProcessingException | IllegalArgumentException e) {
        throw new UserException(file + " is not what evaluate --out writes");
      } catch (IOException e) {
        throw new UserException(file + " cannot be read");
      }
    }
    return new Earlier(
        new ResultsPage.Setting(
            setting.weights(), setting.date(), String.join(" and ", engines), setting.precision()),
        measured.values().stream().sorted(Comparator.comparing(Measurement::suite)).toList());
  }

  /** Sums up what earlier runs answered. */
  private int readAgain() throws IOException {
    Earlier earlier = earlier();
    List<Measurement> all = earlier.measured;
    if (model != null) {
      ConfidenceMap map = ConfidenceMap.read(model, earlier.setting.weights());
      all = all.stream().map(m -> m.with(map)).toList();
    }
    List<Comparison> comparisons = new ArrayList<>();
    for (Measurement m : all) {
      all.stream()
          .filter(other -> other != m && other.suite().equals(m.suite()))
          .filter(other -> other.model().equals(against))
          .forEach(other -> comparisons.add(Comparison.of(other, m)));
    }
    return report(earlier.setting, all, comparisons);
  }

  private Backend device() {
    return Backends.open(backend, threads > 0 ? OptionalInt.of(threads) : OptionalInt.empty());
  }

  private Reasoner open(Path checkpoint, Backend device) {
    return Reasoner.open(
        checkpoint, device, precision, new InferenceEngine.Limits(BATCH, 4 * BATCH, 512, 4));
  }

  private int calibrate() throws IOException, InterruptedException {
    if (model == null) {
      throw new UserException(
          "name the model to calibrate with --model; the file is written there");
    }
    List<Measurement> measured = new ArrayList<>();
    String weights;
    long seed = from.isEmpty() ? CALIBRATION_SEED : SyntheticSuite.SEED;
    if (from.isEmpty()) {
      List<Suite> problems = new ArrayList<>();
      problems.add(SyntheticSuite.training(PACK, CALIBRATION_SEED, limit));
      calibrateOn.forEach(name -> problems.add(Suites.open(name, limit, goldEvidence)));
      try (Progress progress = new Progress(System.err, false)) {
        progress.phase("loading");
        try (Reasoner reasoner = open(model, device())) {
          weights = reasoner.modelHash();
          for (Suite suite : problems) {
            measured.add(measure(reasoner, suite, new Contender(BASE, Optional.empty()), progress));
          }
        }
      }
    } else {
      Earlier earlier = earlier();
      weights = earlier.setting.weights();
      earlier.measured.stream().filter(m -> m.model().equals(BASE)).forEach(measured::add);
    }
    ConfidenceMap map = Measurement.confidenceMap(measured, weights, seed);
    map.write(model);
    System.out.printf(
        Locale.ROOT,
        "%d answers, %.1f%% right; confidence = 1 / (1 + exp(-(%.4f x + %.4f))), x the log-odds of"
            + " certainty; written to %s%n",
        map.origin().answers(),
        100 * map.origin().right(),
        map.slope(),
        map.intercept(),
        model.resolve(ConfidenceMap.FILE));
    return 0;
  }

  private Measurement measure(
      Reasoner reasoner, Suite suite, Contender contender, Progress progress)
      throws InterruptedException {
    LoraAdapter loaded = contender.directory().map(reasoner::load).orElse(null);
    try {
      progress.phase(suite.name(), suite.problems().size());
      Reasoner.Options options =
          new Reasoner.Options(
              Reasoner.Options.DEFAULT.sampler(), maxTokens, Reasoner.Options.DEFAULT.timeLimit());
      return new Evaluator(2 * BATCH)
          .measure(
              suite,
              contender.name(),
              new ReasonerSolver(reasoner, loaded, options),
              done -> {
                synchronized (progress) {
                  progress.at(done);
                }
              });
    } finally {
      if (loaded != null) {
        reasoner.engine().retire(loaded);
      }
    }
  }

  private static Contender contender(String name, Path data) {
    if (name.equals(BASE)) {
      return new Contender(BASE, Optional.empty());
    }
    if (name.equals(INCUMBENT)) {
      return AdapterRollout.incumbent(data)
          .map(id -> new Contender(id, Optional.of(data.resolve("adapters").resolve(id))))
          .orElse(new Contender(BASE, Optional.empty()));
    }
    Path directory = Path.of(name);
    if (Files.isDirectory(directory)) {
      return new Contender(
          directory.toAbsolutePath().normalize().getFileName().toString(), Optional.of(directory));
    }
    Path known = data.resolve("adapters").resolve(name);
    if (Files.isDirectory(known)) {
      return new Contender(name, Optional.of(known));
    }
    try (Stream<Path> runs = Files.walk(data.resolve("runs"), 2)) {
      return runs.filter(path -> path.endsWith(name))
          .findFirst()
          .map(path -> new Contender(name, Optional.of(path)))
          .orElseThrow(() -> unknown(name, data));
    } catch (IOException e) {
      throw unknown(name, data);
    }
  }

  private static UserException unknown(String name, Path data) {
    return new UserException(
        "there is no adapter %s, neither a directory nor an id in %s".formatted(name, data));
  }
}
