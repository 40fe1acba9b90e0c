package dev.reckoner.improve;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.util.Optional;

/** Where training runs are worked on, {@code reckoner.training.*}. */
@ConfigMapping(prefix = "reckoner.training")
public interface TrainingConfig {

  /** Who works on a queued run. */
  enum Launcher {
    /** This process, on its CPU or GPU. */
    LOCAL,
    /** A Kubernetes Job that this process creates. */
    KUBERNETES
  }

  /** Who works on queued runs: {@code local}, or {@code kubernetes} for a Job each. */
  @WithDefault("local")
  Launcher launcher();

  /** The Jobs, {@code reckoner.training.kubernetes.*}. */
  Kubernetes kubernetes();

  /** What the Jobs look like. */
  interface Kubernetes {

    /** Where the Jobs are created; without it the namespace of this pod. */
    Optional<String> namespace();

    /** The manifest that each Job is made from. */
    @WithDefault("/etc/reckoner/training/job.yaml")
    Path jobTemplate();

    /** The image of the Jobs, in the place of the manifest's. */
    Optional<String> image();

    /** A Kueue queue; a Job is created suspended and waits there for its turn. */
    Optional<String> queue();
  }
}
