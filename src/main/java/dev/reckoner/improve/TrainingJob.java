package dev.reckoner.improve;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.batch.v1.JobBuilder;
import io.fabric8.kubernetes.api.model.batch.v1.JobCondition;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * The Kubernetes Job of one training run: made from a manifest, with the run's name, what to do,
 * and where configured its place in a queue.
 */
final class TrainingJob {

  /** Which run a Job works on. */
  static final String RUN_LABEL = "reckoner.dev/training-run";

  /** Kueue admits a suspended Job with this label when its queue has room. */
  static final String QUEUE_LABEL = "kueue.x-k8s.io/queue-name";

  /** A pod that made Jobs again, in the place of training, would never end. */
  private static final String LAUNCHER = "RECKONER_TRAINING_LAUNCHER";

  private TrainingJob() {}

  /** The name of a run's Job; one for each run, so that two replicas cannot make two. */
  static String name(UUID run) {
    return "reckoner-run-" + run;
  }

  /**
   * Makes the Job of a run.
   *
   * @throws ImprovementException if there is no manifest of a Job with a container
   */
  static Job of(UUID run, TrainingConfig.Kubernetes config) {
    JobBuilder job =
        new JobBuilder(read(config.jobTemplate()))
            .editOrNewMetadata()
            .withName(name(run))
            .addToLabels(RUN_LABEL, run.toString())
            .endMetadata()
            .editSpec()
            .editTemplate()
            .editOrNewMetadata()
            .addToLabels(RUN_LABEL, run.toString())
            .endMetadata()
            .editSpec()
            .editFirstContainer()
            .withArgs("train", "--run", run.toString())
            .endContainer()
            .endSpec()
            .endTemplate()
            .endSpec();
    config
        .queue()
        .ifPresent(
            queue ->
                job.editMetadata()
                    .addToLabels(QUEUE_LABEL, queue)
                    .endMetadata()
                    .editSpec()
                    .withSuspend(true)
                    .endSpec());
    Job made = job.build();
    Container container = made.getSpec().getTemplate().getSpec().getContainers().getFirst();
    config.image().ifPresent(container::setImage);
    List<EnvVar> variables = new ArrayList<>(container.getEnv());
    variables.removeIf(v -> v.getName().equals(LAUNCHER));
    variables.add(new EnvVar(LAUNCHER, "local", null));
    container.setEnv(variables);
    return made;
  }

  private static Job read(Path manifest) {
    try (InputStream in = Files.newInputStream(manifest)) {
      Object object = new KubernetesSerialization().unmarshal(in);
      if (object instanceof Job job
          && job.getSpec() != null
          && job.getSpec().getTemplate() != null
          && job.getSpec().getTemplate().getSpec() != null
          && !job.getSpec().getTemplate().getSpec().getContainers().isEmpty()) {
        return job;
      }
      throw new ImprovementException(
          manifest + " is no manifest of a Job with a container: see k8s/training/job.yaml");
    } catch (IOException | IllegalArgumentException e) {
      throw new ImprovementException(
          manifest
              + " cannot be read: reckoner.training.kubernetes.job-template names the manifest of"
              + " a Job",
          e);
    }
  }

  /** Whether a condition holds, {@code Complete} or {@code Failed}. */
  static boolean is(Job job, String condition) {
    return conditions(job).stream()
        .anyMatch(c -> condition.equals(c.getType()) && "True".equals(c.getStatus()));
  }

  /** Why a Job failed, in the words of Kubernetes. */
  static String failure(Job job) {
    return conditions(job).stream()
        .filter(c -> "Failed".equals(c.getType()))
        .map(c -> c.getReason() + (c.getMessage() == null ? "" : ", " + c.getMessage()))
        .findFirst()
        .orElse("no reason was given");
  }

  private static List<JobCondition> conditions(Job job) {
    return job.getStatus() == null ? List.of() : job.getStatus().getConditions();
  }

  /** What a Job does that has not taken up its run, for people. */
  static String waiting(Job job) {
    String name = job.getMetadata().getName();
    String queue = job.getMetadata().getLabels().get(QUEUE_LABEL);
    if (Boolean.TRUE.equals(job.getSpec().getSuspend())) {
      return "job %s waits in the queue%s".formatted(name, queue == null ? "" : " " + queue);
    }
    boolean ready =
        job.getStatus() != null
            && job.getStatus().getReady() != null
            && job.getStatus().getReady() > 0;
    return ready
        ? "job %s starts".formatted(name)
        : "job %s waits for a node or its image".formatted(name);
  }
}
