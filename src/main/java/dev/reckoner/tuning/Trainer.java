package dev.reckoner.tuning;

import com.fasterxml.jackson.annotation.JsonUnwrapped;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.LoraAdapter;
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
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

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
   * Trains on samples to imitate; objective sft.
   *
   * @param heldOut samples to evaluate on; may be empty
   * @param out directory of metrics and checkpoints; a checkpoint found there is resumed
   * @throws TrainingDivergedException where the loss leaves, or loss or gradient are not finite
   */
  public Outcome run(
      List<Sample> training, List<Sample> heldOut, Path out, TrainingListener listener) {
    require(Recipe.Objective.SFT);
    Feed<Sample> feed = new Curriculum<>(recipe, training);
    return run(new Imitation(), feed, heldOut, out, runId(training), listener);
  }

  /**
   * Trains on samples to imitate that are made meanwhile; objective sft. A checkpoint of the same
   * stream may be resumed with another number of steps: the learning rate then follows the schedule
   * of the new number.
   *
   * @param heldOut samples to evaluate on; may be empty
   * @param out directory of metrics and checkpoints; a checkpoint found there is resumed
   * @throws TrainingDivergedException where loss or gradient are not finite
   */
  public Outcome run(
      SampleStream stream, List<Sample> heldOut, Path out, TrainingListener listener) {
    require(Recipe.Objective.SFT);
    String kept = recipe.toYaml().replaceAll("(?m)^maxSteps:.*$", "");
    String run = "%08x-%s-%d".formatted(kept.hashCode(), stream.id(), parameters.size());
    return run(new Imitation(), stream, heldOut, out, run, listener);
  }

  /** What it trains by. */
  public Recipe recipe() {
    return recipe;
  }

  /** How many steps the checkpoint in a directory has done; 0 where there is none. */
  public static long stepsDone(Path out) {
    return TrainingState.exists(out) ? TrainingState.step(out) : 0;
  }

  /**
   * Trains on preferences; objective dpo. The reference is the policy as it is when the run starts.
   *
   * @param heldOut pairs to evaluate on; may be empty
   * @param out as for samples, with {@code reference.json} as well
   */
  public Outcome prefer(
      List<PreferencePair> training,
      List<PreferencePair> heldOut,
      Path out,
      TrainingListener listener) {
    require(Recipe.Objective.DPO);
    List<PreferencePair> all = new ArrayList<>(training);
    all.addAll(heldOut);
    String run =
        runId(all.stream().flatMap(pair -> Stream.of(pair.chosen(), pair.rejected())).toList());
    Optional<ReferenceScores> reference =
        TrainingState.exists(out)
            ? Optional.of(ReferenceScores.load(out, run))
            : ReferenceScores.compute(pass, all, recipe.tokensPerMicroBatch(), run, out, listener);
    if (reference.isEmpty()) {
      return new Outcome(0, Double.NaN, Double.NaN, Outcome.End.INTERRUPTED);
    }
    return run(
        DirectPreference.of(recipe),
        new Curriculum<>(recipe, reference.get().of(training, 0)),
        reference.get().of(heldOut, training.size()),
        out,
        run,
        listener);
  }

  private void require(Recipe.Objective objective) {
    if (recipe.objective() != objective) {
      throw new RecipeException(
          recipe.objective() == Recipe.Objective.DPO
              ? "objective dpo needs preference pairs, and these are samples to imitate"
              : "objective sft needs samples to imitate, and these are preference pairs");
    }
  }

  private <E extends Example> Outcome run(
      Objective<E> objective,
      Feed<E> feed,
      List<E> heldOut,
      Path out,
      String run,
      TrainingListener listener) {
    long steps = feed.steps();
    TrainingState.Progress at = TrainingState.Progress.start(run);
    if (TrainingState.exists(out)) {
      at = TrainingState.load(out, backend, parameters.values(), m, v, run);
      refresh();
    }
    Outcome.End end = Outcome.End.COMPLETED;
    try (BufferedWriter metrics = openMetrics(out, at.step())) {
      while (at.step() < steps) {
        StepMetrics done = step(objective, feed, at, out);
        at = at.stepped(done.loss());
        if (at.diverged()) {
          throw diverged(
              at,
              out,
              "the loss rose from %.2f to %.2f".formatted(at.firstLoss(), at.smoothedLoss()));
        }
        write(metrics, "train", done);
        listener.step(done);
        boolean last = at.step() == steps;
        if (!heldOut.isEmpty() && (last || feed.evaluateAfter(at.step()))) {
          Tally tally = evaluate(objective, heldOut);
          boolean better = at.better(tally.meanLoss());
          at = at.evaluated(tally.meanLoss());
          if (better) {
            TrainingState.saveBest(out, backend, parameters.values());
          }
          write(
              metrics,
              "evaluation",
              new Evaluation(at.step(), tally.meanLoss(), better, tally.preferences()));
          listener.evaluated(at.step(), tally.meanLoss(), better);
          if (recipe.patience() > 0 && at.evaluationsSinceBest() >= recipe.patience()) {
            end = Outcome.End.STOPPED_EARLY;
          }
        }
        if (!last && end == Outcome.End.COMPLETED && listener.stopRequested()) {
          end = Outcome.End.INTERRUPTED;
        }
        boolean ends = last || end != Outcome.End.COMPLETED;
        if (ends || recipe.checkpointEvery() > 0 && at.step() % recipe.checkpointEvery() == 0) {
          TrainingState.save(out, backend, parameters.values(), m, v, at);
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
    if (at.bestStep() > 0 && end != Outcome.End.INTERRUPTED) {
      TrainingState.loadBest(out, backend, parameters.values());
      refresh();
    }
    return new Outcome(at.step(), at.loss(), at.bestLoss(), end);
  }

  /** A line of the metrics. */
  private record Evaluation(
      long step, double loss, boolean best, @JsonUnwrapped PreferenceMetrics preferences) {}

  /** Goes back to the best evaluation, else to the last checkpoint. */
  private TrainingDivergedException diverged(TrainingState.Progress at, Path out, String what) {
    long kept = at.bestStep();
    if (kept > 0) {
      TrainingState.loadBest(out, backend, parameters.values());
    } else if (TrainingState.exists(out)) {
      kept = TrainingState.load(out, backend, parameters.values(), m, v, at.run()).step();
    }
    refresh();
    parameters.dropGradients();
    return new TrainingDivergedException(
        "training diverged: %s; %slower learningRate and name a fresh output directory"
            .formatted(
                what, kept > 0 ? "the parameters of step %d are kept; ".formatted(kept) : ""),
        kept);
  }

  private <E extends Example> StepMetrics step(
      Objective<E> objective, Feed<E> feed, TrainingState.Progress at, Path out) {
    long began = System.nanoTime();
    long step = at.step();
    List<List<E>> groups = feed.groups(step);
    int units = groups.stream().flatMap(List::stream).mapToInt(objective::units).sum();
    int tokens = groups.stream().flatMap(List::stream).mapToInt(Example::length).sum();
    backend.fill(parameters.gradients(), 0);
    Tally tally = new Tally();
    for (int g = 0; g < groups.size(); g++) {
      long dropoutSeed = recipe.seed() * 0x9E3779B97F4A7C15L + step * 1024 + g;
      objective.accumulate(pass, groups.get(g), 1f / Math.max(1, units), dropoutSeed, tally);
    }
    double norm = Math.sqrt(backend.sumOfSquares(parameters.gradients()));
    double loss = tally.meanLoss();
    if (!Double.isFinite(norm) || !Double.isFinite(loss)) {
      throw diverged(
          at, out, "step %d has loss %s and gradient norm %s".formatted(step + 1, loss, norm));
    }
    float scale =
        recipe.clip() > 0 && norm > recipe.clip() ? (float) (recipe.clip() / (norm + 1e-6)) : 1;
    float rate = recipe.learningRateAt(step, feed.steps());
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
        feed.steps(),
        feed.epoch(step),
        loss,
        rate,
        norm,
        tokens,
        groups.stream().flatMap(List::stream).mapToInt(Example::targets).sum(),
        seconds,
        tally.preferences());
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
    return evaluate(new Imitation(), samples).meanLoss();
  }

  private <E extends Example> Tally evaluate(Objective<E> objective, List<E> heldOut) {
    Tally tally = new Tally();
    for (List<E> group : Packing.bestFit(heldOut, recipe.tokensPerMicroBatch(), 0)) {
      objective.evaluate(pass, group, tally);
    }
    return tally;
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
