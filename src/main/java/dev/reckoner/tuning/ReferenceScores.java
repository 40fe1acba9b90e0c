package dev.reckoner.tuning;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.gemma.TrainingPass;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What the policy thought of each pair before it was trained: the reference of DPO, computed once
 * and kept beside the checkpoint, because a resumed run no longer has that policy.
 *
 * @param run which run it belongs to
 * @param pairs {@code {chosen, rejected}} log-probabilities in nats, training pairs first
 */
record ReferenceScores(String run, double[][] pairs) {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String FILE = "reference.json";

  /**
   * Computes them with the pass's parameters as they are.
   *
   * @return empty where the listener asked to stop
   */
  static Optional<ReferenceScores> compute(
      TrainingPass pass,
      List<PreferencePair> pairs,
      int budget,
      String run,
      Path out,
      TrainingListener listener) {
    Map<PreferencePair, double[]> known = new IdentityHashMap<>();
    for (List<PreferencePair> group : Packing.bestFit(pairs, budget, 0)) {
      if (listener.stopRequested()) {
        return Optional.empty();
      }
      double[][] scores = DirectPreference.logProbabilities(pass, group);
      for (int i = 0; i < scores.length; i++) {
        known.put(group.get(i), scores[i]);
      }
      listener.reference(known.size(), pairs.size());
    }
    ReferenceScores result =
        new ReferenceScores(run, pairs.stream().map(known::get).toArray(double[][]::new));
    result.save(out);
    return Optional.of(result);
  }

  private void save(Path out) {
    Path partial = out.resolve(FILE + ".partial");
    try {
      Files.createDirectories(out);
      JSON.writeValue(partial.toFile(), this);
      Files.move(
          partial,
          out.resolve(FILE),
          StandardCopyOption.REPLACE_EXISTING,
          StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException(out.resolve(FILE) + " could not be written", e);
    }
  }

  static ReferenceScores load(Path out, String run) {
    Path file = out.resolve(FILE);
    try {
      ReferenceScores scores = JSON.readValue(file.toFile(), ReferenceScores.class);
      if (scores.run().equals(run)) {
        return scores;
      }
    } catch (IOException e) {
      throw new RecipeException(
          file
              + " cannot be read, and the run cannot go on without it; name a fresh output"
              + " directory");
    }
    throw TrainingState.otherRun(file);
  }

  /** The pairs with their scores, from number {@code from} on. */
  List<ReferencedPair> of(List<PreferencePair> examples, int from) {
    List<ReferencedPair> result = new ArrayList<>();
    for (int i = 0; i < examples.size(); i++) {
      double[] scores = pairs[from + i];
      result.add(new ReferencedPair(examples.get(i), scores[0], scores[1]));
    }
    return result;
  }
}
