package dev.reckoner.agent;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/** The model that serves, {@code reckoner.model.*}. */
@ConfigMapping(prefix = "reckoner.model")
public interface ModelConfig {

  /** Directory of a Gemma 3 checkpoint; without it the bundled model serves. */
  Optional<Path> dir();

  /** Directory of a PEFT adapter to begin with; without it the bare base model serves. */
  Optional<Path> adapter();

  /** Where the bundled model is unpacked. */
  @WithDefault("${reckoner.data-dir:data}/model-cache")
  Path cacheDir();

  /** How weights are held: {@code nf4}, {@code bf16} or {@code fp32}. */
  @WithDefault("nf4")
  String precision();

  /** Where it runs: {@code cpu}, {@code cuda}, or {@code auto} for CUDA where there is any. */
  @WithDefault("auto")
  String backend();

  /** Threads of the CPU backend; without it one a core. */
  OptionalInt threads();

  /** Most tokens of an answer, forced ones included. */
  @WithDefault("512")
  int maxTokens();

  /** Most time for an answer, waiting for the engine apart. */
  @WithDefault("120s")
  Duration timeLimit();

  /** 0 always takes the most likely token; above 0 tokens are drawn. */
  @WithDefault("0")
  double temperature();

  /** Start of the random stream of every request. */
  @WithDefault("0")
  long seed();

  /** Most requests written at the same time. */
  @WithDefault("8")
  int batch();

  /** Most requests waiting beyond those; more are refused. */
  @WithDefault("256")
  int queue();

  /** What the lineage of an analysis calls this program: version and, where known, commit. */
  @WithDefault("${quarkus.application.version:dev}")
  String build();
}
