package dev.reckoner.tuning;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import dev.reckoner.gemma.LoraSpec;
import dev.reckoner.gemma.Target;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Everything that decides a training run besides its data and model; a YAML file with these keys,
 * missing ones at their defaults.
 *
 * @param mode qlora (adapter on an NF4 base), lora (adapter on a BF16 or FP32 base), full
 * @param objective sft imitates samples, dpo learns from preference pairs
 * @param beta how dear it is for dpo to leave the reference, which is the policy before training
 * @param labelSmoothing share of dpo's preferences that are taken to be wrong
 * @param nllWeight dpo's weight of the mean loss of what was chosen (RPO); 0 = none
 * @param targets adapted layers, by checkpoint name
 * @param loraPlusRatio factor of B's learning rate (LoRA+); 1 = none
 * @param warmup share of the steps over which the learning rate rises
 * @param schedule after warm-up: constant, cosine, linear, or trapezoid (constant, then linear over
 *     the last quarter of the steps, so that a run can be prolonged before that)
 * @param minLearningRate share of the learning rate that the schedule ends at
 * @param tokensPerMicroBatch packed tokens of one forward and backward pass
 * @param accumulation micro-batches of one optimiser step
 * @param epochs passes over the data; ignored where maxSteps is positive
 * @param maxSteps optimiser steps, 0 = by epochs
 * @param heldOut share of the examples that are evaluated on instead of trained on, drawn by prompt
 * @param evaluateEvery steps between evaluations on the held-out samples, 0 = at the end of epochs
 * @param patience evaluations without a better loss before an early stop, 0 = never
 * @param checkpointEvery steps between checkpoints, 0 = only at the end
 * @param recompute computes layers again in the backward pass to save memory
 */
public record Recipe(
    Mode mode,
    Objective objective,
    float beta,
    float labelSmoothing,
    float nllWeight,
    int rank,
    float alpha,
    boolean rsLora,
    float dropout,
    List<String> targets,
    float learningRate,
    float loraPlusRatio,
    float beta1,
    float beta2,
    float epsilon,
    float weightDecay,
    float clip,
    float warmup,
    Schedule schedule,
    float minLearningRate,
    int tokensPerMicroBatch,
    int accumulation,
    float epochs,
    int maxSteps,
    float heldOut,
    int evaluateEvery,
    int patience,
    int checkpointEvery,
    boolean recompute,
    long seed) {

  /** What is trained. */
  public enum Mode {
    @JsonProperty("qlora")
    QLORA,
    @JsonProperty("lora")
    LORA,
    @JsonProperty("full")
    FULL
  }

  /** What is learned from. */
  public enum Objective {
    @JsonProperty("sft")
    SFT,
    @JsonProperty("dpo")
    DPO
  }

  /** How the learning rate goes on after warm-up. */
  public enum Schedule {
    @JsonProperty("constant")
    CONSTANT,
    @JsonProperty("linear")
    LINEAR,
    @JsonProperty("cosine")
    COSINE,
    @JsonProperty("trapezoid")
    TRAPEZOID
  }

  /** The share of the steps over which a trapezoid falls. */
  private static final double DECAY = 0.25;

  private static final ObjectMapper YAML =
      new ObjectMapper(new YAMLFactory()).enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

  public Recipe {
    targets = List.copyOf(targets);
    check(learningRate > 0, "learningRate must be positive");
    check(warmup >= 0 && warmup < 1, "warmup is a share of the steps in [0, 1)");
    check(tokensPerMicroBatch > 1, "tokensPerMicroBatch must be at least 2");
    check(accumulation > 0, "accumulation must be positive");
    check(epochs > 0 || maxSteps > 0, "epochs or maxSteps must be positive");
    check(beta > 0, "beta must be positive");
    check(labelSmoothing >= 0 && labelSmoothing < 0.5, "labelSmoothing is a share in [0, 0.5)");
    check(nllWeight >= 0, "nllWeight must not be negative (0 = none)");
    check(heldOut >= 0 && heldOut < 1, "heldOut is a share of the examples in [0, 1)");
    check(clip >= 0, "clip must not be negative (0 = none)");
  }

  private static void check(boolean condition, String message) {
    if (!condition) {
      throw new RecipeException(message);
    }
  }

  /** QLoRA as in Google's Gemma guide: rank 16, all linear layers, 2e-4, clip 0.3. */
  public static Recipe defaults() {
    return new Recipe(
        Mode.QLORA,
        Objective.SFT,
        0.1f,
        0,
        0,
        16,
        16,
        false,
        0,
        EnumSet.allOf(Target.class).stream().map(Target::module).toList(),
        2e-4f,
        1,
        0.9f,
        0.999f,
        1e-8f,
        0,
        0.3f,
        0.03f,
        Schedule.CONSTANT,
        0,
        2048,
        1,
        3,
        0,
        0,
        0,
        0,
        100,
        false,
        1);
  }

  /**
   * Reads a YAML file.
   *
   * @throws RecipeException one line that names the file and the key
   */
  public static Recipe read(Path file) {
    try {
      return parse(Files.readString(file));
    } catch (RecipeException e) {
      throw new RecipeException("%s: %s".formatted(file, e.getMessage()));
    } catch (IOException e) {
      throw new RecipeException(file + ": cannot be read");
    }
  }

  /** The recipe that a YAML text makes of the defaults. */
  public static Recipe parse(String yaml) {
    try {
      JsonNode given = YAML.readTree(yaml);
      ObjectNode merged = YAML.valueToTree(defaults());
      if (given != null && given.isObject()) {
        given.properties().forEach(e -> merged.set(e.getKey(), e.getValue()));
      }
      return YAML.treeToValue(merged, Recipe.class);
    } catch (JsonProcessingException e) {
      if (e.getCause() instanceof RecipeException cause) {
        throw cause;
      }
      throw new RecipeException(
          String.valueOf(e.getOriginalMessage()).lines().findFirst().orElse("not YAML"));
    }
  }

  /** The recipe as YAML, every key written out. */
  public String toYaml() {
    try {
      return YAML.writeValueAsString(this);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The adapter this recipe trains. */
  public LoraSpec lora() {
    Set<Target> set = EnumSet.noneOf(Target.class);
    for (String module : targets) {
      for (Target t : Target.values()) {
        if (t.module().equals(module)) {
          set.add(t);
        }
      }
    }
    check(set.size() == targets.size() && !set.isEmpty(), "targets: unknown layer in " + targets);
    return new LoraSpec(rank, alpha, rsLora, dropout, set);
  }

  /**
   * The learning rate of optimiser step {@code step} (from 0) of {@code steps}: linear warm-up,
   * then the schedule.
   */
  public float learningRateAt(long step, long steps) {
    long warm = (long) Math.ceil(warmup * steps);
    if (step < warm) {
      return learningRate * (step + 1) / warm;
    }
    double progress = steps - warm <= 1 ? 0 : (double) (step - warm) / (steps - warm - 1);
    double share =
        switch (schedule) {
          case CONSTANT -> 1;
          case LINEAR -> 1 - progress;
          case COSINE -> 0.5 * (1 + Math.cos(Math.PI * progress));
          case TRAPEZOID -> Math.min(1, (1 - progress) / DECAY);
        };
    double floor = schedule == Schedule.CONSTANT ? 0 : minLearningRate;
    return (float) (learningRate * (floor + (1 - floor) * share));
  }
}
