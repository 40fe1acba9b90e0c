package dev.reckoner.improve;

import io.fabric8.kubernetes.api.model.DeletionPropagation;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.ScalableResource;
import io.quarkus.runtime.ShutdownEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import java.net.HttpURLConnection;
import java.util.Optional;
import java.util.function.Supplier;
import org.jboss.logging.Logger;

/**
 * Hands queued runs to Kubernetes, a Job each, and watches the Jobs. A Job's pod claims the run
 * from the database and works on it like any worker: progress, loss, evidence and the adapter come
 * back through the database, checkpoints stay on the Job's volume for a pod that takes over. So a
 * Job is only looked at for what its pod cannot say: that it waits, or that it is lost.
 *
 * <p>Every replica may look. A Job has its run's name, so there is one.
 */
@ApplicationScoped
class KubernetesLauncher {

  private static final Logger LOG = Logger.getLogger(KubernetesLauncher.class);

  private final TrainingRuns runs;
  private final TrainingConfig.Kubernetes config;
  private final Supplier<KubernetesClient> open;
  private KubernetesClient client;

  @Inject
  KubernetesLauncher(TrainingRuns runs, TrainingConfig config) {
    this(runs, config.kubernetes(), KubernetesLauncher::connect);
  }

  KubernetesLauncher(
      TrainingRuns runs, TrainingConfig.Kubernetes config, Supplier<KubernetesClient> open) {
    this.runs = runs;
    this.config = config;
    this.open = open;
  }

  /** As the pod's token or the kubeconfig says; what fails is tried again at the next look. */
  private static KubernetesClient connect() {
    Config config = Config.autoConfigure(null);
    config.setRequestRetryBackoffLimit(1);
    return new KubernetesClientBuilder().withConfig(config).build();
  }

  /** Creates the Job of a run that has none, and sees to the one of a run that is under way. */
  synchronized void look() {
    Optional<TrainingRun> active = runs.active();
    if (active.isEmpty()) {
      return;
    }
    TrainingRun run = active.get();
    try {
      look(run, jobs(run));
    } catch (ImprovementException e) {
      runs.endIfActive(run.id(), TrainingRun.Status.FAILED, e.getMessage());
    } catch (KubernetesClientException e) {
      if (e.getCode() == HttpURLConnection.HTTP_FORBIDDEN
          || e.getCode() == HttpURLConnection.HTTP_UNAUTHORIZED) {
        runs.endIfActive(
            run.id(),
            TrainingRun.Status.FAILED,
            "Kubernetes does not let this service create jobs: apply"
                + " k8s/components/training-launcher");
      } else if (e.getCode() >= 400 && e.getCode() < 500) {
        runs.endIfActive(
            run.id(), TrainingRun.Status.FAILED, "Kubernetes refused the job: " + said(e));
      } else {
        LOG.warnf("Kubernetes cannot be asked: %s", said(e));
        if (!runs.taken(run.id())) {
          runs.says(run.id(), "Kubernetes cannot be asked now, and will be again: " + said(e));
        }
      }
    }
  }

  private void look(TrainingRun run, ScalableResource<Job> resource) {
    Job job = resource.get();
    String name = TrainingJob.name(run.id());
    boolean taken = runs.taken(run.id());
    // A pod that works on the run ends it at its next step; one that went silent cannot.
    boolean unheard = !taken || runs.silent(run.id());
    if (runs.cancelRequested(run.id()) && unheard) {
      if (job != null) {
        resource.withPropagationPolicy(DeletionPropagation.BACKGROUND).delete();
      }
      runs.endIfActive(run.id(), TrainingRun.Status.CANCELLED, "cancelled");
    } else if (job == null && !taken) {
      create(run, resource);
    } else if (job == null && unheard) {
      fail(run, "job %s is gone: start the run again".formatted(name));
    } else if (job != null && TrainingJob.is(job, "Failed")) {
      fail(run, "job %s failed: %s".formatted(name, TrainingJob.failure(job)));
    } else if (job != null && TrainingJob.is(job, "Complete")) {
      fail(run, "job %s ended without a word: see its log".formatted(name));
    } else if (job != null && !taken) {
      runs.says(run.id(), TrainingJob.waiting(job));
    }
  }

  private void create(TrainingRun run, ScalableResource<Job> resource) {
    Job job = TrainingJob.of(run.id(), config);
    try {
      client().batch().v1().jobs().inNamespace(namespace()).resource(job).create();
    } catch (KubernetesClientException e) {
      if (e.getCode() != HttpURLConnection.HTTP_CONFLICT) {
        throw e;
      }
      return; // another replica was faster
    }
    LOG.infof("training run %s is handed to job %s", run.id(), job.getMetadata().getName());
    runs.says(run.id(), TrainingJob.waiting(job));
  }

  private void fail(TrainingRun run, String message) {
    runs.endIfActive(run.id(), TrainingRun.Status.FAILED, message);
  }

  private ScalableResource<Job> jobs(TrainingRun run) {
    return client()
        .batch()
        .v1()
        .jobs()
        .inNamespace(namespace())
        .withName(TrainingJob.name(run.id()));
  }

  private String namespace() {
    return config
        .namespace()
        .or(() -> Optional.ofNullable(client().getNamespace()))
        .orElseThrow(
            () ->
                new ImprovementException(
                    "this process is in no cluster: set reckoner.training.kubernetes.namespace and"
                        + " a kubeconfig, or reckoner.training.launcher to local"));
  }

  private KubernetesClient client() {
    if (client == null) {
      client = open.get();
    }
    return client;
  }

  private static String said(KubernetesClientException e) {
    String message =
        e.getStatus() != null && e.getStatus().getMessage() != null
            ? e.getStatus().getMessage()
            : String.valueOf(e.getMessage());
    return message.lines().findFirst().orElse("");
  }

  /** The Jobs go on; whoever runs next looks after them. */
  synchronized void stop(@Observes ShutdownEvent event) {
    if (client != null) {
      client.close();
    }
  }
}
