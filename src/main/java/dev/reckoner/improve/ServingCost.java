package dev.reckoner.improve;

import dev.reckoner.corpus.Problem;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.Reasoner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * What it costs to serve a candidate in the champion's place. The same questions are put to both in
 * turn, one at a time, so that a machine that is busy with something else is so for both.
 *
 * @param slowdown median over the questions of the candidate's seconds a token over the champion's;
 *     {@code NaN} where nothing was written
 * @param championSeconds median seconds a token, prompt included
 * @param candidateSeconds the same of the candidate
 * @param adapterBytes size of the candidate's weights
 * @param baseBytes size of the base model's weights
 */
record ServingCost(
    double slowdown,
    double championSeconds,
    double candidateSeconds,
    long adapterBytes,
    long baseBytes) {

  /** The adapter's weights as a share of the base model's. */
  double adapterShare() {
    return baseBytes == 0 ? Double.NaN : (double) adapterBytes / baseBytes;
  }

  /**
   * Measures.
   *
   * @param champion {@code null} for the base model
   * @param problems what is asked; a few are enough
   */
  static ServingCost measure(
      Reasoner reasoner,
      Path model,
      LoraAdapter champion,
      LoraAdapter candidate,
      AdapterFiles files,
      List<Problem> problems,
      Reasoner.Options options)
      throws InterruptedException, IOException {
    List<Double> ratios = new ArrayList<>();
    List<Double> champions = new ArrayList<>();
    List<Double> candidates = new ArrayList<>();
    for (int i = 0; i < problems.size(); i++) {
      boolean championFirst = i % 2 == 0;
      Problem problem = problems.get(i);
      double first = seconds(reasoner, problem, championFirst ? champion : candidate, options);
      double second = seconds(reasoner, problem, championFirst ? candidate : champion, options);
      double ofChampion = championFirst ? first : second;
      double ofCandidate = championFirst ? second : first;
      champions.add(ofChampion);
      candidates.add(ofCandidate);
      ratios.add(ofCandidate / ofChampion);
    }
    return new ServingCost(
        median(ratios),
        median(champions),
        median(candidates),
        files.content().get(AdapterFiles.WEIGHTS).length,
        weights(model));
  }

  private static double seconds(
      Reasoner reasoner, Problem problem, LoraAdapter adapter, Reasoner.Options options)
      throws InterruptedException {
    Generation generation =
        reasoner.engine().generate(reasoner.request(problem.evidence(), adapter, options));
    return generation.took().toNanos() / 1e9 / Math.max(1, generation.tokens().length);
  }

  private static double median(List<Double> values) {
    List<Double> sorted = values.stream().sorted().toList();
    int half = sorted.size() / 2;
    return sorted.isEmpty()
        ? Double.NaN
        : sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
  }

  private static long weights(Path model) throws IOException {
    long bytes = 0;
    try (Stream<Path> files = Files.list(model)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
        bytes += Files.size(file);
      }
    }
    return bytes;
  }
}
