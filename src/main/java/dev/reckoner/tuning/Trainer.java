package dev.reckoner.tuning;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.gemma.PackedBatch;
import dev.reckoner.gemma.Parameters;
import dev.reckoner.gemma.TrainingPass;
import dev.reckoner.tensor.AdamW;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Tensor;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Runs a recipe: an adapter on a frozen model, or all parameters of a trainable one. What a step
 * sees depends only on recipe, seed and samples, so a resumed run equals an uninterrupted one bit
 * for bit.
 *
 * <p>The output directory gets {@code metrics.jsonl} (a line a step and an evaluation), {@code
 * loss.png} and {@code checkpoint.safetensors}. Saving the result is the caller's: {@link
 * LoraAdapter#save} or {@link Gemma3#save}.
 */
public final class Trainer implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** A range of the parameters with one learning rate and decay. */
  private record Range(long offset, int size, float rateFactor, boolean decay) {}

  private final Gemma3 model;
  private final LoraAdapter adapter;
  private final Recipe recipe;
  private final Backend backend;
  private final TrainingPass pass;
  private final Parameters parameters;
  private final Tensor m;
  private final Tensor v;
  private final List<Range> ranges;

  /**
   * @param adapter null trains the model's own parameters (mode full)
   */
  public Trainer(Gemma3 model, LoraAdapter adapter, Recipe recipe) {
    if ((recipe.mode() == Recipe.Mode.FULL) != (adapter == null)) {
      throw new IllegalArgumentException("mode full trains no adapter, the others need one");
    }
    this.model = model;
    this.adapter = adapter;
    this.recipe = recipe;
    backend = model.backend();
    pass = new TrainingPass(model, adapter, recipe.recompute());
    parameters = pass.parameters();
    m = backend.floats(1, parameters.size());
    v = backend.floats(1, parameters.size());
    ranges = adapter == null ? modelRanges() : adapterRanges();
  }

  private List<Range> adapterRanges() {
    int a = Math.toIntExact(adapter.bOffset());
    return List.of(
        new Range(0, a, 1, true),
        new Range(a, parameters.size() - a, recipe.loraPlusRatio(), true));
  }

  /** Norm weights, which lie around zero, do not decay. */
  private List<Range> modelRanges() {
    List<Range> result = new ArrayList<>();
    for (Parameters.Entry e : parameters.entries()) {
      boolean decay = e.rows() > 1;
      if (!result.isEmpty() && result.getLast().decay == decay) {
        Range last = result.removeLast();
        result.add(new Range(last.offset, last.size + e.size(), 1, decay));
      } else {
        result.add(new Range(e.offset(), e.size(), 1, decay));
      }
    }
    return result;
  }

  /**
   * Trains.
   *
   * @param heldOut samples to evaluate on; may be empty
   * @param out directory of metrics and checkpoints; a checkpoint found there is resumed
   * @throws TrainingDivergedException where loss or gradient are not finite
   */
  public Outcome run(
      List<Sample> training, List<Sample> heldOut, Path out, TrainingListener listener) {
    Curriculum curriculum = new Curriculum(recipe, training);
    long steps = curriculum.steps();
    String run = runId(training);
    long step = 0;
    double best = Double.NaN;
    int sinceBest = 0;
    if (TrainingState.exists(out)) {
      var progress = TrainingState.load(out, backend, parameters.values(), m, v, run);
      step = progress.step();
      best = progress.bestLoss();
      sinceBest = progress.evaluationsSinceBest();
      refresh();
    }
    double loss = Double.NaN;
    Outcome.End end = Outcome.End.COMPLETED;
    try (BufferedWriter metrics = openMetrics(out, step)) {
      while (step < steps) {
        StepMetrics done = step(curriculum, step, out);
        loss = done.loss();
        step++;
        write(metrics, "train", done);
        listener.step(done);
        boolean last = step == steps;
        if (!heldOut.isEmpty() && (last || curriculum.evaluateAfter(step))) {
          double heldOutLoss = evaluate(heldOut);
          boolean better = Double.isNaN(best) || heldOutLoss < best;
          sinceBest = better ? 0 : sinceBest + 1;
          if (better) {
            best = heldOutLoss;
            TrainingState.saveBest(out, backend, parameters.values());
          }
          write(metrics, "evaluation", Map.of("step", step, "loss", heldOutLoss, "best", better));
          listener.evaluated(step, heldOutLoss, better);
          if (recipe.patience() > 0 && sinceBest >= recipe.patience()) {
            end = Outcome.End.STOPPED_EARLY;
          }
        }
        if (!last && end == Outcome.End.COMPLETED && listener.stopRequested()) {
          end = Outcome.End.INTERRUPTED;
        }
        boolean ends = last || end != Outcome.End.COMPLETED;
        if (ends || recipe.checkpointEvery() > 0 && step % recipe.checkpointEvery() == 0) {
          var progress = new TrainingState.Progress(step, best, sinceBest, run);
          TrainingState.save(out, backend, parameters.values(), m, v, progress);
        }
        if (ends) {
          break;
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(out + ": metrics could not be written", e);
    }
    LossCurve.write(out, out.resolve("loss.png"));
    parameters.dropGradients();
    if (!Double.isNaN(best) && end != Outcome.End.INTERRUPTED) {
      TrainingState.loadBest(out, backend, parameters.values());
      refresh();
    }
    return new Outcome(step, loss, best, end);
  }

  private StepMetrics step(Curriculum curriculum, long step, Path out) {
    long began = System.nanoTime();
    List<List<Sample>> groups = curriculum.groups(step);
    int targets = groups.stream().flatMap(List::stream).mapToInt(Sample::targets).sum();
    int tokens = groups.stream().flatMap(List::stream).mapToInt(Sample::length).sum();
    backend.fill(parameters.gradients(), 0);
    double sum = 0;
    for (int g = 0; g < groups.size(); g++) {
      PackedBatch batch = Packing.pack(groups.get(g), 1f / Math.max(1, targets));
      long dropoutSeed = recipe.seed() * 0x9E3779B97F4A7C15L + step * 1024 + g;
      for (float l : pass.accumulate(batch, dropoutSeed)) {
        sum += l;
      }
    }
    double norm = Math.sqrt(backend.sumOfSquares(parameters.gradients()));
    double loss = sum / Math.max(1, targets);
    if (!Double.isFinite(norm) || !Double.isFinite(loss)) {
      throw new TrainingDivergedException(
          "step %d: loss %s, gradient norm %s; lower learningRate and start again%s"
              .formatted(
                  step + 1,
                  loss,
                  norm,
                  TrainingState.exists(out) ? " from the last checkpoint in " + out : ""));
    }
    float scale =
        recipe.clip() > 0 && norm > recipe.clip() ? (float) (recipe.clip() / (norm + 1e-6)) : 1;
    float rate = recipe.learningRateAt(step, curriculum.steps());
    for (Range r : ranges) {
      AdamW update =
          new AdamW(
              rate * r.rateFactor,
              recipe.beta1(),
              recipe.beta2(),
              recipe.epsilon(),
              r.decay ? recipe.weightDecay() : 0,
              step + 1);
      backend.adamW(
          parameters.values().slice(r.offset, 1, r.size),
          parameters.gradients().slice(r.offset, 1, r.size),
          m.slice(r.offset, 1, r.size),
          v.slice(r.offset, 1, r.size),
          update,
          scale);
    }
    refresh();
    backend.synchronize();
    double seconds = (System.nanoTime() - began) / 1e9;
    return new StepMetrics(
        step + 1,
        curriculum.steps(),
        curriculum.epoch(step),
        loss,
        rate,
        norm,
        tokens,
        targets,
        seconds);
  }

  private void refresh() {
    if (adapter == null) {
      model.refresh();
    } else {
      adapter.refresh();
    }
  }

  /** Mean loss over all targets of the samples, nats. */
  public double evaluate(List<Sample> samples) {
    double sum = 0;
    long n = 0;
    for (List<Sample> group : Packing.bestFit(samples, recipe.tokensPerMicroBatch(), 0)) {
      for (float l : pass.losses(Packing.pack(group, 1))) {
        sum += l;
        n++;
      }
    }
    return sum / Math.max(1, n);
  }

  /** What a checkpoint must agree with to be resumed. */
  private String runId(List<Sample> training) {
    int data = 1;
    for (Sample s : training) {
      data = 31 * data + Arrays.hashCode(s.tokens());
      data = 31 * data + Arrays.hashCode(s.supervised());
    }
    return "%08x-%08x-%d".formatted(recipe.toYaml().hashCode(), data, parameters.size());
  }

  private static BufferedWriter openMetrics(Path out, long step) throws IOException {
    Files.createDirectories(out);
    Path file = out.resolve("metrics.jsonl");
    List<String> kept = new ArrayList<>();
    if (step > 0 && Files.exists(file)) {
      for (String line : Files.readAllLines(file)) {
        if (JSON.readTree(line).path("step").asLong() <= step) {
          kept.add(line);
        }
      }
    }
    Files.write(file, kept);
    return Files.newBufferedWriter(file, StandardOpenOption.APPEND);
  }

  private static void write(BufferedWriter metrics, String kind, Object values) throws IOException {
    Map<String, Object> line =
        new TreeMap<>(JSON.convertValue(values, new TypeReference<Map<String, Object>>() {}));
    line.put("kind", kind);
    metrics.write(JSON.writeValueAsString(line));
    metrics.newLine();
    metrics.flush();
  }

  @Override
  public void close() {
    m.close();
    v.close();
    parameters.dropGradients();
  }
}
