package dev.reckoner.cli;

import dev.reckoner.corpus.Lesson;
import dev.reckoner.corpus.LessonFile;
import dev.reckoner.corpus.SyntheticGenerator;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import dev.reckoner.tuning.LessonSamples;
import dev.reckoner.tuning.Outcome;
import dev.reckoner.tuning.Recipe;
import dev.reckoner.tuning.Sample;
import dev.reckoner.tuning.SampleStream;
import dev.reckoner.tuning.StepMetrics;
import dev.reckoner.tuning.Trainer;
import dev.reckoner.tuning.TrainingListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Trains on lessons by a recipe: a whole model (mode full), from random weights where the folder
 * has none, or an adapter on its NF4 base. A run that was interrupted goes on from its checkpoint.
 */
@Command(
    name = "fit",
    mixinStandardHelpOptions = true,
    description = "Trains a model or an adapter on lessons, by a recipe; resumes.")
public final class FitCommand implements Callable<Integer> {

  private static final long SHARD_BYTES = 15_000_000;
  private static final int HELD_OUT_LESSONS = 200;
  private static final int TIMED_STEPS = 12;

  /** More than a stream works ahead, so that the making of lessons is timed as well. */
  private static final int TIMED_STEPS_OF_STREAM = 150;

  /** The rest of the time goes to evaluations, checkpoints and the first steps. */
  private static final double TRAINING_SHARE = 0.93;

  private static final List<String> COMPANIONS =
      List.of("tokenizer.json", "tokenizer_config.json", "generation_config.json");

  @Option(
      names = "--recipe",
      required = true,
      paramLabel = "FILE",
      description = "The recipe, YAML; see training/.")
  private Path recipeFile;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "DIR",
      description = "Folder with config.json and tokenizer.json, and weights to start from.")
  private Path modelFolder;

  @Option(
      names = "--data",
      paramLabel = "FILE",
      description = "Lessons, JSON Lines, plain or gzip; may be repeated.")
  private List<Path> data = List.of();

  @Option(
      names = "--repeat",
      defaultValue = "1",
      description = "How often the lessons of --data count against synthetic ones.")
  private int repeat;

  @Option(
      names = "--synthetic",
      defaultValue = "0",
      description = "Synthetic lessons to make and train on as well.")
  private int synthetic;

  @Option(names = "--pack", defaultValue = "finance", description = "Their domain pack.")
  private String pack;

  @Option(names = "--seed", defaultValue = "1", description = "Their seed.")
  private long seed;

  @Option(
      names = "--reading",
      defaultValue = "0",
      description = "Percent of the lessons whose evidence is learned as well as their chain.")
  private int reading;

  @Option(
      names = "--max-tokens",
      defaultValue = "3000",
      description = "Longer lessons are left out (default: ${DEFAULT-VALUE}).")
  private int maxTokens;

  @Option(
      names = "--mix",
      split = ",",
      paramLabel = "KIND=SHARE",
      description =
          "Draw each sequence anew while training, by these shares: data (a lesson of --data),"
              + " replay (one of --replay), page (fresh questions on a page of either),"
              + " conversation (fresh conversations on such a page or a synthetic one), synthetic"
              + " (a fresh synthetic page), topic (one that compares issuers, mixes units or does"
              + " not say); --repeat and --synthetic do not matter then.")
  private Map<LessonMix.Kind, Integer> mix = Map.of();

  @Option(
      names = "--replay",
      paramLabel = "FILE",
      description =
          "Lessons that a mixture replays, so that what they teach is not forgotten; may be"
              + " repeated.")
  private List<Path> replay = List.of();

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Where to write.")
  private Path out;

  @Option(
      names = "--backend",
      defaultValue = "cpu",
      description = Backends.NAMES + " (default: ${DEFAULT-VALUE}).")
  private String backendName;

  @Option(names = "--threads", defaultValue = "0", description = "CPU threads; 0 for all.")
  private int threads;

  @Option(
      names = "--minutes",
      defaultValue = "0",
      description =
          "Fit the number of steps to this time since the start, the making of lessons included;"
              + " 0 as the recipe says.")
  private double minutes;

  @Option(
      names = "--pause-after",
      defaultValue = "0",
      paramLabel = "MINUTES",
      description =
          "Stop at a checkpoint then; the same command goes on from there, with --minutes counted"
              + " anew.")
  private double pause;

  private long started;

  /** Runs without the rest of the program: {@code java -cp … dev.reckoner.cli.FitCommand}. */
  public static void main(String... args) {
    System.exit(PlainMain.execute(new FitCommand(), args));
  }

  @Override
  public Integer call() throws IOException {
    started = System.nanoTime();
    Recipe recipe = Recipe.read(recipeFile);
    try (GemmaTokenizer tokenizer = GemmaTokenizer.read(modelFolder);
        Backend backend = backend()) {
      System.out.println(backend.description());
      Outcome outcome =
          mix.isEmpty() ? onList(recipe, tokenizer, backend) : onStream(recipe, tokenizer, backend);
      System.out.printf(
          "%s after %d steps: loss %.4f, held out %.4f; written to %s%n",
          outcome.end(), outcome.steps(), outcome.trainingLoss(), outcome.heldOutLoss(), out);
    }
    return 0;
  }

  private Outcome onList(Recipe recipe, GemmaTokenizer tokenizer, Backend backend)
      throws IOException {
    Material material = material(tokenizer);
    List<Sample> training = material.training();
    long tokens = training.stream().mapToLong(Sample::length).sum();
    System.out.printf("%d lessons, %,d tokens%n", training.size(), tokens);
    Training list =
        (trainer, steps, heldOut, folder, listener) ->
            trainer.run(training, heldOut, folder, listener);
    Recipe fitted = fitted(recipe, backend, list, TIMED_STEPS);
    return run(fitted, backend, list, material.heldOut(), out, new Log(), true);
  }

  private Outcome onStream(Recipe recipe, GemmaTokenizer tokenizer, Backend backend)
      throws IOException {
    LessonMix lessons =
        LessonMix.of(mix, read(data), read(replay), pack, seed, tokenizer, reading, maxTokens);
    int makers = Math.max(1, Runtime.getRuntime().availableProcessors() - 1);
    Training stream =
        (trainer, steps, heldOut, folder, listener) -> {
          try (SampleStream feed =
              new SampleStream(trainer.recipe(), steps, lessons, lessons.id(), makers)) {
            return trainer.run(feed, heldOut, folder, listener);
          }
        };
    if (minutes == 0 && recipe.maxSteps() == 0) {
      throw new IllegalArgumentException(
          "a mixture has no end: set --minutes, or maxSteps in the recipe");
    }
    Recipe fitted = fitted(recipe, backend, stream, TIMED_STEPS_OF_STREAM);
    return run(fitted, backend, stream, lessons.heldOut(), out, new Log(), true);
  }

  /** How a trainer is given its samples. */
  @FunctionalInterface
  private interface Training {
    Outcome run(
        Trainer trainer, int steps, List<Sample> heldOut, Path folder, TrainingListener listener);
  }

  private Backend backend() {
    return Backends.open(backendName, threads > 0 ? OptionalInt.of(threads) : OptionalInt.empty());
  }

  /**
   * A lesson as the trainer sees it.
   *
   * @param group what a split must not cut, see {@link Lesson#group}
   * @param times how often it is trained on
   */
  record Grouped(String group, Sample sample, int times) {}

  /** What is trained on, and what its loss is measured on; they share no group. */
  record Material(List<Sample> training, List<Sample> heldOut) {

    /**
     * Holds out whole groups, drawn by the seed, up to a twentieth of the lessons and never more
     * than {@value #HELD_OUT_LESSONS}; what is left is repeated, never what is held out.
     */
    static Material of(List<Grouped> lessons, long seed) {
      Map<String, List<Grouped>> groups =
          lessons.stream()
              .collect(
                  Collectors.groupingBy(Grouped::group, LinkedHashMap::new, Collectors.toList()));
      List<List<Grouped>> drawn = new ArrayList<>(groups.values());
      Collections.shuffle(drawn, new Random(seed));
      int room = Math.min(HELD_OUT_LESSONS, lessons.size() / 20);
      List<Sample> training = new ArrayList<>();
      List<Sample> heldOut = new ArrayList<>();
      for (List<Grouped> group : drawn) {
        if (group.size() <= room - heldOut.size()) {
          group.forEach(lesson -> heldOut.add(lesson.sample()));
        } else {
          group.forEach(
              lesson -> training.addAll(Collections.nCopies(lesson.times(), lesson.sample())));
        }
      }
      return new Material(training, heldOut);
    }
  }

  private static List<Lesson> read(List<Path> files) throws IOException {
    List<Lesson> read = new ArrayList<>();
    for (Path file : files) {
      read.addAll(LessonFile.read(file));
    }
    return read;
  }

  private Material material(GemmaTokenizer tokenizer) throws IOException {
    LessonSamples samples = new LessonSamples(tokenizer, reading);
    SyntheticGenerator generator = new SyntheticGenerator(pack, seed, Split.TRAIN);
    Stream<Lesson> made = LongStream.range(0, synthetic).parallel().mapToObj(generator::lesson);
    List<Grouped> lessons = new ArrayList<>(grouped(samples, read(data).parallelStream(), repeat));
    lessons.addAll(grouped(samples, made, 1));
    if (lessons.isEmpty()) {
      throw new IllegalArgumentException(
          "nothing to train on: name lessons with --data or --synthetic");
    }
    return Material.of(lessons, seed);
  }

  private List<Grouped> grouped(LessonSamples samples, Stream<Lesson> lessons, int times) {
    return lessons
        .map(lesson -> new Grouped(lesson.group(), samples.of(lesson), times))
        .filter(lesson -> lesson.sample().length() <= maxTokens)
        .toList();
  }

  /**
   * The recipe with as many steps as fit the time, those of an interrupted run included; without a
   * time, the one of an interrupted run.
   */
  private Recipe fitted(Recipe recipe, Backend backend, Training training, int timed)
      throws IOException {
    Path file = out.resolve("recipe.yaml");
    Recipe fitted = Files.exists(file) ? Recipe.read(file) : recipe;
    Files.createDirectories(out);
    if (minutes > 0) {
      Path scratch = Files.createTempDirectory("fit");
      double[] seconds = {0};
      TrainingListener clock =
          new TrainingListener() {
            @Override
            public void step(StepMetrics metrics) {
              // The first steps warm up.
              seconds[0] += metrics.step() > timed / 2 ? metrics.seconds() : 0;
            }
          };
      run(withSteps(recipe, timed), backend, training, List.of(), scratch, clock, false);
      double step = seconds[0] / (timed - timed / 2);
      double left = minutes * 60 - (System.nanoTime() - started) / 1e9;
      long done = Trainer.stepsDone(out);
      int steps = (int) (done + Math.max(1, left * TRAINING_SHARE / step));
      System.out.printf(
          "%.4f s a step: %d steps, %d of them done, in %.0f s%n", step, steps, done, left);
      fitted = withSteps(fitted, steps);
    }
    Files.writeString(file, fitted.toYaml());
    return fitted;
  }

  private static Recipe withSteps(Recipe recipe, int steps) {
    return Recipe.parse(recipe.toYaml().replaceAll("(?m)^maxSteps:.*$", "maxSteps: " + steps));
  }

  /** Prints a line now and then, and stops the run when it is to pause. */
  private final class Log implements TrainingListener {
    private long next;

    @Override
    public void step(StepMetrics m) {
      if (System.nanoTime() >= next) {
        next = System.nanoTime() + 5_000_000_000L;
        System.out.printf(
            "step %d/%d loss %.4f rate %.2e norm %.2f %,.0f tokens/s%n",
            m.step(), m.steps(), m.loss(), m.learningRate(), m.gradientNorm(), m.tokensPerSecond());
      }
    }

    @Override
    public void evaluated(long step, double loss, boolean best) {
      System.out.printf("step %d held out %.4f%s%n", step, loss, best ? " (best)" : "");
    }

    @Override
    public boolean stopRequested() {
      return pause > 0 && System.nanoTime() - started > pause * 60e9;
    }
  }

  private Outcome run(
      Recipe recipe,
      Backend backend,
      Training training,
      List<Sample> heldOut,
      Path folder,
      TrainingListener listener,
      boolean save)
      throws IOException {
    if (recipe.mode() == Recipe.Mode.FULL) {
      try (Gemma3 model = trainable(backend, recipe.seed());
          Trainer trainer = new Trainer(model, null, recipe)) {
        Outcome outcome = training.run(trainer, recipe.maxSteps(), heldOut, folder, listener);
        if (save) {
          Path written = folder.resolve("model");
          model.save(written, DType.BF16, SHARD_BYTES);
          for (String name : COMPANIONS) {
            if (Files.exists(modelFolder.resolve(name))) {
              Files.copy(
                  modelFolder.resolve(name),
                  written.resolve(name),
                  StandardCopyOption.REPLACE_EXISTING);
            }
          }
        }
        return outcome;
      }
    }
    Precision precision = recipe.mode() == Recipe.Mode.QLORA ? Precision.NF4 : Precision.BF16;
    try (Gemma3 model = Gemma3.load(modelFolder, backend, precision);
        LoraAdapter adapter = LoraAdapter.create(model, "fit", recipe.lora(), recipe.seed());
        Trainer trainer = new Trainer(model, adapter, recipe)) {
      Outcome outcome = training.run(trainer, recipe.maxSteps(), heldOut, folder, listener);
      if (save) {
        adapter.save(folder.resolve("adapter"), modelFolder.getFileName().toString());
      }
      return outcome;
    }
  }

  private Gemma3 trainable(Backend backend, long weightSeed) {
    boolean weights =
        Files.exists(modelFolder.resolve("model.safetensors"))
            || Files.exists(modelFolder.resolve("model.safetensors.index.json"));
    return weights
        ? Gemma3.loadTrainable(modelFolder, backend)
        : Gemma3.randomTrainable(GemmaConfig.read(modelFolder), backend, weightSeed);
  }
}
