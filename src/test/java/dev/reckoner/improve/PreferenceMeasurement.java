package dev.reckoner.improve;

import dev.reckoner.corpus.HouseRule;
import dev.reckoner.corpus.SyntheticGenerator;
import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.improve.AdapterTraining.Phase;
import dev.reckoner.improve.AdapterTraining.PhaseResult;
import dev.reckoner.improve.DatasetBuilder.Replay;
import dev.reckoner.improve.ValidatedChain.Use;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.inference.InferenceEngine;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import dev.reckoner.tuning.Recipe;
import dev.reckoner.tuning.StepMetrics;
import dev.reckoner.tuning.TrainingListener;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;

/**
 * What preference pairs add to imitation, on the bundled model and the house convention. Not a
 * test:
 *
 * <pre>
 * … PreferenceMeasurement pairs DIR 80         the base answers 80 problems, a reviewer corrects
 * … PreferenceMeasurement train DIR OUT SFT_RECIPE [DPO_RECIPE]
 * reckoner evaluate --suite house-rule --limit 100 --adapter OUT/adapter --against base
 * </pre>
 */
public final class PreferenceMeasurement {

  private PreferenceMeasurement() {}

  /** See above. */
  public static void main(String... args) throws Exception {
    Path dir = Path.of(args[1]);
    if (args[0].equals("pairs")) {
      pairs(dir, Integer.parseInt(args[2]));
    } else {
      train(dir, args);
    }
  }

  private static void pairs(Path dir, int count) throws Exception {
    List<Solved> pool = new HouseRule("finance").pool(1, count);
    List<String> answers = new ArrayList<>();
    try (Reasoner reasoner =
            Reasoner.open(
                BundledModel.directory(dir.resolve("cache")),
                Backends.open("cpu"),
                Precision.NF4,
                new InferenceEngine.Limits(16, 64, 512, 4));
        ExecutorService executor = Executors.newFixedThreadPool(32)) {
      List<Future<String>> futures = new ArrayList<>();
      for (Solved solved : pool) {
        futures.add(
            executor.submit(
                () ->
                    reasoner
                        .engine()
                        .generate(
                            reasoner.request(
                                solved.problem().evidence(), null, Reasoner.Options.DEFAULT))
                        .text()
                        .strip()));
      }
      for (Future<String> future : futures) {
        answers.add(future.get());
      }
    }
    List<ValidatedChain> chains = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Solved solved = pool.get(i);
      boolean right = answers.get(i).equals(solved.chain().text());
      chains.add(
          new ValidatedChain(
              UUID.nameUUIDFromBytes(solved.problem().id().getBytes(StandardCharsets.UTF_8)),
              right ? Use.APPROVED : Use.CORRECTED,
              solved.problem().group(),
              "",
              solved.problem().evidence(),
              answers.get(i),
              right ? null : solved.chain(),
              null,
              "house",
              Instant.EPOCH));
    }
    SyntheticGenerator generator =
        new SyntheticGenerator("finance", 7, SyntheticGenerator.Split.TRAIN);
    List<Replay> replay =
        LongStream.range(0, count)
            .mapToObj(generator::problem)
            .map(s -> new Replay(List.of(s)))
            .toList();
    Dataset dataset = new DatasetBuilder().build(chains, replay, List.of());
    System.out.println(dataset.counts());
    for (String name : List.of(Dataset.TRAIN, Dataset.PREFERENCES)) {
      Files.writeString(dir.resolve(name), dataset.files().get(name));
    }
  }

  private static void train(Path dir, String... args) {
    Path out = Path.of(args[2]);
    List<Phase> phases = new ArrayList<>();
    phases.add(new Phase(Recipe.read(Path.of(args[3])), dir.resolve(Dataset.TRAIN), out));
    if (args.length > 4) {
      phases.add(
          new Phase(
              Recipe.read(Path.of(args[4])),
              dir.resolve(Dataset.PREFERENCES),
              out.resolve("preferences")));
    }
    TrainingListener print =
        new TrainingListener() {
          @Override
          public void step(StepMetrics m) {
            System.out.println(m);
          }
        };
    AdapterTraining.Trained trained =
        AdapterTraining.train(
            BundledModel.directory(dir.resolve("cache")),
            Backends.open("cpu"),
            phases,
            out,
            "adapter",
            print);
    for (PhaseResult phase : trained.phases()) {
      System.out.println(phase);
    }
  }
}
