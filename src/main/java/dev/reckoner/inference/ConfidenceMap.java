package dev.reckoner.inference;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What share of a model's answers is right, told from how sure it was of its tokens: a logistic
 * curve over the log-odds of the tokens' mean probability (Platt 1999). A model that has learned a
 * grammar by heart is nearly certain of most of its tokens, also of those of a wrong answer.
 *
 * <p>It is fitted once for a model, on problems that are neither its lessons nor of a suite, and
 * stored beside its weights as {@value #FILE}. It never falls, so that no order of answers changes.
 *
 * @param slope of the log-odds, not negative
 * @param intercept of the log-odds
 * @param origin what it was fitted on; {@code null} of {@link #IDENTITY}
 */
public record ConfidenceMap(double slope, double intercept, Origin origin) {

  /** The file's name in a model's directory. */
  public static final String FILE = "calibration.json";

  /** Changes nothing: for a model without the file. */
  public static final ConfidenceMap IDENTITY = new ConfidenceMap(1, 0, null);

  /** Certainties closer to 0 or 1 are taken as this close. */
  private static final double EDGE = 1e-6;

  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
  private static final System.Logger LOG = System.getLogger(ConfidenceMap.class.getName());

  /**
   * What a map was fitted on.
   *
   * @param weights hash of the model that answered, see {@link Reasoner#modelHash}; the map is of
   *     this model only
   * @param problems what was asked, for people
   * @param seed of the problems
   * @param answers how many chains were written
   * @param right share of them that was right, each set of problems counting the same
   */
  public record Origin(String weights, String problems, long seed, int answers, double right) {}

  public ConfidenceMap {
    if (!(slope >= 0) || !Double.isFinite(slope) || !Double.isFinite(intercept)) {
      throw new IllegalArgumentException(
          "a slope of %s and an intercept of %s are no confidence map".formatted(slope, intercept));
    }
  }

  /**
   * The share of answers that is expected to be right.
   *
   * @param certainty mean probability of an answer's tokens, see {@link Generation#certainty}
   */
  public double apply(double certainty) {
    return equals(IDENTITY)
        ? certainty
        : 1 / (1 + Math.exp(-(slope * logOdds(certainty) + intercept)));
  }

  /** Natural logarithm of the odds, finite also for certainties of 0 and 1. */
  public static double logOdds(double certainty) {
    double inside = Math.clamp(certainty, EDGE, 1 - EDGE);
    return Math.log(inside / (1 - inside));
  }

  /**
   * The map beside a model. One that was fitted to other weights is left unused, with a warning.
   *
   * @param model directory of the checkpoint
   * @param weights hash of the model that it holds
   * @throws InferenceException with one clear line if the file is damaged
   */
  public static ConfidenceMap read(Path model, String weights) {
    Path file = model.resolve(FILE);
    if (!Files.exists(file)) {
      return IDENTITY;
    }
    ConfidenceMap map;
    try {
      map = JSON.readValue(file.toFile(), ConfidenceMap.class);
    } catch (JsonProcessingException e) {
      throw damaged(file, e);
    } catch (IOException e) {
      throw new InferenceException(file + " cannot be read", e);
    }
    if (map == null || map.origin() == null) {
      throw damaged(file, null);
    }
    if (!weights.equals(map.origin().weights())) {
      LOG.log(
          System.Logger.Level.WARNING,
          file
              + " was fitted to other weights and is not used; make it anew with: reckoner evaluate"
              + " --calibrate --model "
              + model);
      return IDENTITY;
    }
    return map;
  }

  private static InferenceException damaged(Path file, Exception cause) {
    return new InferenceException(
        file
            + " is no confidence map; remove it, or make it anew with reckoner evaluate"
            + " --calibrate",
        cause);
  }

  /** Stores it beside a model. */
  public void write(Path model) throws IOException {
    Files.writeString(model.resolve(FILE), JSON.writeValueAsString(this) + "\n");
  }
}
