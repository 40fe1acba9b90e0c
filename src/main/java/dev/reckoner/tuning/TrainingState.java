package dev.reckoner.tuning;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.SafetensorsFile;
import dev.reckoner.tensor.SafetensorsWriter;
import dev.reckoner.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Checkpoints of a run: parameters and both AdamW moments in fp32 and the place in the run, in one
 * file, so that a resumed run continues bit for bit.
 */
final class TrainingState {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String FILE = "checkpoint.safetensors";

  /**
   * The place in a run.
   *
   * @param loss of the last step
   * @param firstLoss of the first step
   * @param smoothedLoss running mean over about ten steps
   * @param bestLoss of the best evaluation, NaN before the first
   * @param bestStep after which that was
   */
  record Progress(
      long step,
      double loss,
      double firstLoss,
      double smoothedLoss,
      double bestLoss,
      long bestStep,
      int evaluationsSinceBest,
      String run) {

    private static final double SMOOTHING = 0.9;

    static Progress start(String run) {
      return new Progress(0, Double.NaN, Double.NaN, Double.NaN, Double.NaN, 0, 0, run);
    }

    Progress stepped(double stepLoss) {
      return step == 0
          ? new Progress(1, stepLoss, stepLoss, stepLoss, bestLoss, bestStep, 0, run)
          : new Progress(
              step + 1,
              stepLoss,
              firstLoss,
              SMOOTHING * smoothedLoss + (1 - SMOOTHING) * stepLoss,
              bestLoss,
              bestStep,
              evaluationsSinceBest,
              run);
    }

    boolean better(double heldOutLoss) {
      return Double.isNaN(bestLoss) || heldOutLoss < bestLoss;
    }

    Progress evaluated(double heldOutLoss) {
      boolean better = better(heldOutLoss);
      return new Progress(
          step,
          loss,
          firstLoss,
          smoothedLoss,
          better ? heldOutLoss : bestLoss,
          better ? step : bestStep,
          better ? 0 : evaluationsSinceBest + 1,
          run);
    }

    /**
     * Whether the loss left for good: a mean over about ten steps of three times the first loss and
     * three nats more, which noise and hard samples do not reach.
     */
    boolean diverged() {
      return smoothedLoss > 3 * firstLoss + 3;
    }
  }

  private TrainingState() {}

  static boolean exists(Path dir) {
    return Files.exists(dir.resolve(FILE));
  }

  /** The step of the checkpoint. */
  static long step(Path dir) {
    Path path = dir.resolve(FILE);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      return JSON.readTree(file.metadata().getOrDefault("progress", "{}")).path("step").asLong();
    } catch (IOException e) {
      throw new UncheckedIOException(path + " cannot be read", e);
    }
  }

  static void save(
      Path dir, Backend backend, Tensor parameters, Tensor m, Tensor v, Progress progress) {
    try {
      Files.createDirectories(dir);
      SafetensorsWriter writer =
          new SafetensorsWriter().metadata("progress", JSON.writeValueAsString(progress));
      int[] shape = {parameters.columns()};
      writer.add("parameters", DType.F32, shape, () -> host(backend, parameters));
      writer.add("m", DType.F32, shape, () -> host(backend, m));
      writer.add("v", DType.F32, shape, () -> host(backend, v));
      writer.write(dir.resolve(FILE));
    } catch (IOException e) {
      throw new UncheckedIOException(dir + " could not be written", e);
    }
  }

  static Progress load(
      Path dir, Backend backend, Tensor parameters, Tensor m, Tensor v, String run) {
    Path path = dir.resolve(FILE);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      Progress progress =
          JSON.readValue(file.metadata().getOrDefault("progress", "null"), Progress.class);
      if (progress == null || !progress.run().equals(run)) {
        throw otherRun(path);
      }
      backend.upload(file.get("parameters").values(parameters.columns()), parameters);
      backend.upload(file.get("m").values(m.columns()), m);
      backend.upload(file.get("v").values(v.columns()), v);
      return progress;
    } catch (IOException e) {
      throw new UncheckedIOException(path + " cannot be read", e);
    }
  }

  static RecipeException otherRun(Path file) {
    return new RecipeException(
        file + " belongs to another recipe, model or data set; name a fresh output directory");
  }

  /** One tensor alone, for the parameters of the best evaluation. */
  static void saveBest(Path dir, Backend backend, Tensor parameters) {
    new SafetensorsWriter()
        .add(
            "parameters",
            DType.F32,
            new int[] {parameters.columns()},
            () -> host(backend, parameters))
        .write(dir.resolve("best.safetensors"));
  }

  static void loadBest(Path dir, Backend backend, Tensor parameters) {
    try (SafetensorsFile file = SafetensorsFile.open(dir.resolve("best.safetensors"))) {
      backend.upload(file.get("parameters").values(parameters.columns()), parameters);
    }
  }

  private static float[] host(Backend backend, Tensor t) {
    float[] values = new float[t.columns()];
    backend.download(t, values);
    return values;
  }
}
