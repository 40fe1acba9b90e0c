package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.improve.TrainingRun.Status;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.batch.v1.JobBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.ScalableResource;
import io.fabric8.kubernetes.client.server.mock.KubernetesCrudDispatcher;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.fabric8.mockwebserver.Context;
import io.fabric8.mockwebserver.MockWebServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Runs handed to a Kubernetes API that stores what it is given, as fabric8's mock server does. */
class KubernetesLauncherTest {

  private static final String NAMESPACE = "finance";
  private static final Path TEMPLATE = Path.of("k8s/components/training-launcher/job.yaml");

  private static PostgresFixture postgres;

  private KubernetesMockServer server;
  private KubernetesClient api;
  private TrainingRuns runs;

  @BeforeAll
  static void start() throws IOException {
    postgres = new PostgresFixture();
  }

  @AfterAll
  static void stop() throws IOException {
    postgres.close();
  }

  @BeforeEach
  void fresh() {
    postgres.fresh();
    runs = new TrainingRuns(postgres.jdbi);
    server =
        new KubernetesMockServer(
            new Context(),
            new MockWebServer(),
            new HashMap<>(),
            new KubernetesCrudDispatcher(),
            false);
    server.init();
    api = server.createClient();
  }

  @AfterEach
  void end() {
    api.close();
    server.destroy();
  }

  @Test
  void aQueuedRunBecomesOneJobThatWorksOnIt() {
    UUID run = queue();
    launcher(Optional.empty()).look();
    launcher(Optional.empty()).look(); // another replica
    assertThat(api.batch().v1().jobs().inNamespace(NAMESPACE).list().getItems()).hasSize(1);
    Job job = job(run).get();
    assertThat(job.getMetadata().getLabels()).containsEntry(TrainingJob.RUN_LABEL, run.toString());
    assertThat(job.getSpec().getSuspend()).isNull();
    Container container = job.getSpec().getTemplate().getSpec().getContainers().getFirst();
    assertThat(container.getArgs()).containsExactly("train", "--run", run.toString());
    assertThat(container.getImage()).isEqualTo("registry.example.com/reckoner:7");
    // The pod trains by itself, whatever the settings say that it shares with the service.
    assertThat(container.getEnv())
        .contains(new EnvVar("RECKONER_TRAINING_LAUNCHER", "local", null));
    assertThat(container.getEnv())
        .extracting(EnvVar::getName)
        .contains("QUARKUS_DATASOURCE_PASSWORD");
    assertThat(found(run).status()).isEqualTo(Status.QUEUED);
    assertThat(found(run).message()).contains("job reckoner-run-" + run, "waits for a node");
  }

  @Test
  void aJobWaitsSuspendedInItsQueueUntilItIsAdmitted() {
    UUID run = queue();
    KubernetesLauncher launcher = launcher(Optional.of("gpu"));
    launcher.look();
    Job job = job(run).get();
    assertThat(job.getMetadata().getLabels()).containsEntry(TrainingJob.QUEUE_LABEL, "gpu");
    assertThat(job.getSpec().getSuspend()).isTrue();
    assertThat(found(run).message()).contains("waits in the queue gpu");
    job(run).edit(j -> new JobBuilder(j).editSpec().withSuspend(false).endSpec().build());
    launcher.look();
    assertThat(found(run).message()).contains("waits for a node");
    status(run, new JobBuilder().withNewStatus().withReady(1).endStatus().build());
    launcher.look();
    assertThat(found(run).message()).endsWith("starts");
  }

  @Test
  void whatThePodSaysIsLeftAlone() {
    UUID run = queue();
    launcher(Optional.empty()).look();
    TrainingRun claimed = runs.claim("pod").orElseThrow();
    runs.enter(claimed.id(), Status.TRAINING, "step 3 of 9, loss 0.5");
    launcher(Optional.empty()).look();
    assertThat(found(run).message()).isEqualTo("step 3 of 9, loss 0.5");
    // The pod ends the run, and only then the job is over.
    runs.enter(run, Status.REFUSED, "refused by the gate: no");
    condition(run, "Failed", "PodFailurePolicy", "exit 3");
    launcher(Optional.empty()).look();
    assertThat(found(run).status()).isEqualTo(Status.REFUSED);
    assertThat(found(run).message()).isEqualTo("refused by the gate: no");
  }

  @Test
  void aJobThatFailsFailsItsRunAndSaysWhy() {
    UUID run = queue();
    launcher(Optional.empty()).look();
    condition(run, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    launcher(Optional.empty()).look();
    assertThat(found(run).status()).isEqualTo(Status.FAILED);
    assertThat(found(run).message())
        .contains("BackoffLimitExceeded", "Job has reached the specified backoff limit");
    assertThat(found(run).finishedAt()).isNotNull();
    assertThat(runs.queue("{}", false, "olga").status()).isEqualTo(Status.QUEUED);
  }

  @Test
  void aJobThatSomebodyRemovedFailsItsRunOnceItsPodIsSilent() {
    UUID run = queue();
    launcher(Optional.empty()).look();
    runs.claim("pod");
    job(run).delete();
    launcher(Optional.empty()).look();
    assertThat(found(run).status().active()).isTrue();
    silence();
    launcher(Optional.empty()).look();
    assertThat(found(run).status()).isEqualTo(Status.FAILED);
    assertThat(found(run).message()).contains("is gone");
    assertThat(api.batch().v1().jobs().inNamespace(NAMESPACE).list().getItems()).isEmpty();
  }

  @Test
  void cancellingRemovesAJobThatHasNotBegun() {
    UUID run = queue();
    launcher(Optional.of("gpu")).look();
    runs.requestCancel(run);
    launcher(Optional.of("gpu")).look();
    assertThat(job(run).get()).isNull();
    assertThat(found(run).status()).isEqualTo(Status.CANCELLED);
  }

  @Test
  void cancellingLetsAPodEndByItselfUnlessItIsSilent() {
    UUID run = queue();
    launcher(Optional.empty()).look();
    runs.claim("pod");
    runs.requestCancel(run);
    launcher(Optional.empty()).look();
    assertThat(job(run).get()).isNotNull();
    assertThat(found(run).status().active()).isTrue();
    silence();
    launcher(Optional.empty()).look();
    assertThat(job(run).get()).isNull();
    assertThat(found(run).status()).isEqualTo(Status.CANCELLED);
  }

  @Test
  void withoutTheRightTheRunSaysWhatToApply() {
    server.destroy();
    server = new KubernetesMockServer(false);
    server.init();
    server
        .expect()
        .get()
        .withPath("/apis/batch/v1/namespaces/finance/jobs/" + TrainingJob.name(queue()))
        .andReturn(403, null)
        .always();
    api.close();
    api = server.createClient();
    launcher(Optional.empty()).look();
    assertThat(runs.recent(1).getFirst().status()).isEqualTo(Status.FAILED);
    assertThat(runs.recent(1).getFirst().message()).contains("k8s/components/training-launcher");
  }

  @Test
  void anApiThatCannotBeReachedIsAskedAgain() {
    UUID run = queue();
    server.destroy();
    api.getConfiguration().setRequestRetryBackoffLimit(0);
    launcher(Optional.empty()).look();
    assertThat(found(run).status()).isEqualTo(Status.QUEUED);
    assertThat(found(run).message()).startsWith("Kubernetes cannot be asked now");
    server = new KubernetesMockServer(false); // for the end of the test
    server.init();
  }

  @Test
  void aManifestThatIsNoJobFailsTheRunInOneSentence() {
    UUID run = queue();
    new KubernetesLauncher(
            runs, config(Optional.empty(), Path.of("k8s/base/service.yaml")), () -> api)
        .look();
    assertThat(found(run).status()).isEqualTo(Status.FAILED);
    assertThat(found(run).message()).contains("service.yaml is no manifest of a Job");
  }

  private UUID queue() {
    return runs.queue("{}", false, "olga").id();
  }

  private TrainingRun found(UUID run) {
    return runs.find(run).orElseThrow();
  }

  private ScalableResource<Job> job(UUID run) {
    return api.batch().v1().jobs().inNamespace(NAMESPACE).withName(TrainingJob.name(run));
  }

  private void condition(UUID run, String type, String reason, String message) {
    status(
        run,
        new JobBuilder()
            .withNewStatus()
            .addNewCondition()
            .withType(type)
            .withStatus("True")
            .withReason(reason)
            .withMessage(message)
            .endCondition()
            .endStatus()
            .build());
  }

  private void status(UUID run, Job status) {
    job(run).editStatus(j -> new JobBuilder(j).withStatus(status.getStatus()).build());
  }

  private static void silence() {
    postgres.jdbi.useHandle(
        h -> h.execute("update training_run set heartbeat_at = now() - interval '2 minutes'"));
  }

  private KubernetesLauncher launcher(Optional<String> queue) {
    return new KubernetesLauncher(runs, config(queue, TEMPLATE), () -> api);
  }

  private static TrainingConfig.Kubernetes config(Optional<String> queue, Path template) {
    return new TrainingConfig.Kubernetes() {
      @Override
      public Optional<String> namespace() {
        return Optional.of(NAMESPACE);
      }

      @Override
      public Path jobTemplate() {
        return template;
      }

      @Override
      public Optional<String> image() {
        return Optional.of("registry.example.com/reckoner:7");
      }

      @Override
      public Optional<String> queue() {
        return queue;
      }
    };
  }
}
