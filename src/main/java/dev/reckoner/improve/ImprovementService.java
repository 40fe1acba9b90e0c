package dev.reckoner.improve;

import dev.reckoner.improve.TrainingRun.LogLine;
import dev.reckoner.improve.TrainingRun.LossPoint;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Event;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * What a person can do with the improvement loop: start a run, watch it, cancel it, promote an
 * adapter, roll back. Every refusal is an {@link ImprovementException} whose message is for them.
 */
@ApplicationScoped
public class ImprovementService {

  /** Fired when a run was queued, so that a worker looks at once. */
  record RunQueued(UUID id) {}

  private final TrainingRuns runs;
  private final AdapterRegistry registry;
  private final ValidatedChains chains;
  private final Event<RunQueued> queued;

  ImprovementService(
      TrainingRuns runs,
      AdapterRegistry registry,
      ValidatedChains chains,
      Event<RunQueued> queued) {
    this.runs = runs;
    this.chains = chains;
    this.registry = registry;
    this.queued = queued;
  }

  /**
   * Queues a run over every validated chain and returns at once; a worker of this process takes it.
   *
   * @param promoteIfPassed whether a candidate that passes the gate becomes the champion by itself
   * @param actor who asked
   * @throws ImprovementException if a run is active
   */
  public TrainingRun start(boolean promoteIfPassed, String actor) {
    TrainingRun run = runs.queue("{}", promoteIfPassed, actor);
    queued.fireAsync(new RunQueued(run.id()));
    return run;
  }

  /** How many approved or corrected chains no dataset has used yet. */
  public int validatedChains() {
    return chains.unused();
  }

  /** The active run, if any. */
  public Optional<TrainingRun> current() {
    return runs.active();
  }

  public Optional<TrainingRun> run(UUID id) {
    return runs.find(id);
  }

  /** Newest first. */
  public List<TrainingRun> runs(int limit) {
    return runs.recent(limit);
  }

  /** The loss curve of a run. */
  public List<LossPoint> losses(UUID run) {
    return runs.losses(run);
  }

  /** What a run did, in order. */
  public List<LogLine> log(UUID run) {
    return runs.log(run);
  }

  /** The loss curve of a run after a step. */
  public List<LossPoint> losses(UUID run, int after) {
    return runs.losses(run, after);
  }

  /**
   * Asks the run to stop at its next step.
   *
   * @throws ImprovementException if it has ended
   */
  public void cancel(UUID run) {
    if (!runs.requestCancel(run)) {
      throw new ImprovementException("the run has ended already");
    }
  }

  /** Newest first. */
  public List<RegisteredAdapter> adapters() {
    return registry.all();
  }

  /** The adapter that serves; empty where the base model serves alone. */
  public Optional<RegisteredAdapter> champion() {
    return registry.champion();
  }

  /**
   * @throws ImprovementException if it has not passed the gate, or serves already
   */
  public AdapterRelease promote(String adapterId, String actor) {
    return registry.promote(adapterId, actor);
  }

  /**
   * Back to what served before the champion.
   *
   * @throws ImprovementException if nothing was promoted
   */
  public AdapterRelease rollback(String actor) {
    return registry.rollback(actor);
  }

  /**
   * Back to what served before the champion; what the champion analysed and nobody has decided is
   * analysed again.
   *
   * @throws ImprovementException if nothing was promoted
   */
  public AdapterRelease rollbackAndRequeue(String actor) {
    return registry.rollback(actor, true);
  }

  /**
   * Lets an adapter analyse live events beside the champion, without publishing.
   *
   * @param adapterId {@code null} to end it
   * @throws ImprovementException if there is no such adapter, or it is the champion
   */
  public void shadow(String adapterId, String actor) {
    registry.shadow(adapterId, actor);
  }

  /**
   * Back to an adapter that served before, or to {@link AdapterRelease#BASE}.
   *
   * @throws ImprovementException if it never served, or serves already
   */
  public AdapterRelease rollbackTo(String adapterId, String actor) {
    return registry.rollbackTo(adapterId, actor);
  }
}
