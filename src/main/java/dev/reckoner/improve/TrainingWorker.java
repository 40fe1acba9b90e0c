package dev.reckoner.improve;

import dev.reckoner.improve.ImprovementService.RunQueued;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.scheduler.Scheduled;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.event.ObservesAsync;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Takes up queued runs, and runs whose process went silent, or has Kubernetes do it. One run at a
 * time in a process; that there is one over all replicas is the database's rule.
 */
@ApplicationScoped
class TrainingWorker {

  private final TrainingRuns runs;
  private final ImprovementLoop loop;
  private final ImproveConfig config;
  private final TrainingConfig training;
  private final KubernetesLauncher kubernetes;
  private final String name = UUID.randomUUID().toString();
  private final AtomicBoolean busy = new AtomicBoolean();
  private volatile Thread thread;
  private volatile boolean stopping;

  TrainingWorker(
      TrainingRuns runs,
      ImprovementLoop loop,
      ImproveConfig config,
      TrainingConfig training,
      KubernetesLauncher kubernetes) {
    this.runs = runs;
    this.loop = loop;
    this.config = config;
    this.training = training;
    this.kubernetes = kubernetes;
  }

  void queued(@ObservesAsync RunQueued event) {
    look();
  }

  /** Also the heartbeat of the run that this process works on. */
  @Scheduled(every = "10s", delayed = "10s")
  void look() {
    if (!config.worker() || stopping) {
      return;
    }
    if (training.launcher() == TrainingConfig.Launcher.KUBERNETES) {
      kubernetes.look();
      return;
    }
    if (!busy.compareAndSet(false, true)) {
      runs.heartbeat(name);
      return;
    }
    Optional<TrainingRun> claimed;
    try {
      claimed = runs.claim(name);
    } catch (RuntimeException e) {
      busy.set(false);
      throw e;
    }
    if (claimed.isEmpty()) {
      busy.set(false);
      return;
    }
    thread =
        Thread.ofPlatform()
            .name("reckoner-training")
            .daemon()
            .start(
                () -> {
                  try {
                    loop.execute(claimed.get(), () -> stopping);
                  } finally {
                    busy.set(false);
                  }
                });
  }

  /** Lets the step in progress end and its checkpoint be written. */
  void stop(@Observes ShutdownEvent event) throws InterruptedException {
    stopping = true;
    Thread working = thread;
    if (working != null && working.isAlive()) {
      working.join(20_000);
      working.interrupt();
    }
  }
}
