package dev.reckoner.improve;

import dev.reckoner.agent.ServingModel;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.FinishReason;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figures;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.scheduler.Scheduled;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.IOException;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.jboss.logging.Logger;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/**
 * Lets the adapter under the alias {@code shadow} analyse what the champion has analysed since, and
 * keeps where they differ. Nothing of it is published. It takes one place of the engine, only while
 * no event waits, and no more than the configured number an hour.
 */
@ApplicationScoped
class Shadow {

  private static final Logger LOG = Logger.getLogger(Shadow.class);

  /** An analysis of the champion that the shadow has not seen. */
  private record Due(UUID id, Evidence evidence, String chain) {}

  /** The shadow's adapter in the engine. */
  private record Loaded(String id, LoraAdapter adapter) {}

  private final Jdbi jdbi;
  private final AdapterRegistry registry;
  private final AdapterRollout rollout;
  private final ServingModel serving;
  private final ImproveConfig config;
  private Loaded loaded;

  Shadow(
      Jdbi jdbi,
      AdapterRegistry registry,
      AdapterRollout rollout,
      ServingModel serving,
      ImproveConfig config) {
    this.jdbi = jdbi;
    this.registry = registry;
    this.rollout = rollout;
    this.serving = serving;
    this.config = config;
  }

  @Scheduled(
      every = "5s",
      delayed = "20s",
      concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
  void scheduled() throws InterruptedException {
    look(); // the scheduler takes methods without a result only
  }

  /**
   * Analyses what is due, one after the other, as long as no event waits.
   *
   * @return how many
   */
  synchronized int look() throws InterruptedException {
    Optional<RegisteredAdapter> shadow =
        config.shadow().perHour() > 0 ? registry.shadow() : Optional.empty();
    if (shadow.isEmpty()) {
      unload();
      return 0;
    }
    int done = 0;
    try {
      for (Optional<Due> due = due(shadow.get().id());
          due.isPresent() && !Thread.interrupted();
          due = due(shadow.get().id())) {
        compare(shadow.get(), due.get());
        done++;
      }
    } catch (IOException | RuntimeException e) {
      LOG.warnf("the shadow %s did not analyse: %s", shadow.get().id(), e.getMessage());
    }
    return done;
  }

  private Optional<Due> due(String adapter) {
    return jdbi.withHandle(
        handle ->
            eventsWait(handle) || spent(handle)
                ? Optional.empty()
                : handle
                    .createQuery(
                        """
                        select a.id, a.evidence, a.chain from analysis a
                        where a.created_at > (select changed_at from adapter_alias
                                              where slot = 'default' and alias = 'shadow')
                          and a.adapter_id <> :adapter
                          and not exists (select 1 from shadow_analysis s
                                          where s.analysis_id = a.id and s.adapter_id = :adapter)
                          and not exists (select 1 from planted p where p.analysis_id = a.id)
                        order by a.created_at desc limit 1
                        """)
                    .bind("adapter", adapter)
                    .map(
                        (rs, ctx) ->
                            read(rs.getObject(1, UUID.class), rs.getString(2), rs.getString(3)))
                    .findOne());
  }

  private static Due read(UUID id, String evidence, String chain) throws SQLException {
    try {
      return new Due(id, CanonicalJson.MAPPER.readValue(evidence, Evidence.class), chain);
    } catch (IOException e) {
      throw new SQLException("analysis " + id + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static boolean eventsWait(Handle handle) {
    return handle
        .createQuery("select exists (select 1 from inbox where status = 'received')")
        .mapTo(Boolean.class)
        .one();
  }

  private boolean spent(Handle handle) {
    return handle
            .createQuery(
                "select count(*) from shadow_analysis where created_at > now() - interval '1 hour'")
            .mapTo(Integer.class)
            .one()
        >= config.shadow().perHour();
  }

  private void compare(RegisteredAdapter shadow, Due due) throws IOException, InterruptedException {
    Reasoner reasoner = serving.reasoner();
    if (loaded == null || !loaded.id().equals(shadow.id())) {
      unload();
      loaded = new Loaded(shadow.id(), reasoner.load(rollout.fetch(shadow.id(), shadow.sha256())));
    }
    Generation generation =
        reasoner
            .engine()
            .generate(reasoner.request(due.evidence(), loaded.adapter(), serving.options()));
    String chain = generation.finish() == FinishReason.STOP ? generation.text().strip() : "";
    ChainDifference difference = ChainDifference.of(due.evidence(), due.chain(), chain);
    UUID id = UUID.randomUUID();
    jdbi.useHandle(
        h ->
            h.execute(
                "insert into shadow_analysis (id, analysis_id, adapter_id, chain, agrees,"
                    + " first_step, same_answer, swapped, millis)"
                    + " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                    + " on conflict (analysis_id, adapter_id) do nothing",
                id,
                due.id(),
                shadow.id(),
                chain,
                difference.none(),
                difference.firstStep(),
                difference.sameAnswer(),
                (id.getLeastSignificantBits() & 1) == 1,
                generation.took().toMillis()));
  }

  private void unload() {
    if (loaded != null) {
      serving.reasoner().engine().retire(loaded.adapter());
      loaded = null;
    }
  }

  /** Another replica, or this one after a restart, goes on. */
  synchronized void stop(@Observes ShutdownEvent event) {
    loaded = null; // the engine closes with the model
  }

  /**
   * Where two chains part.
   *
   * @param firstStep the first step that differs, from 0; {@code null} if none does
   * @param sameAnswer whether they conclude the same
   */
  record ChainDifference(Integer firstStep, boolean sameAnswer) {

    boolean none() {
      return firstStep == null;
    }

    /** Compares them with the labels that a chain may have without saying more. */
    static ChainDifference of(Evidence evidence, String champion, String shadow) {
      Figures figures = Figures.of(evidence);
      List<String> a = figures.labelled(champion.strip()).lines().toList();
      List<String> b = figures.labelled(shadow).lines().toList();
      boolean same =
          !a.isEmpty() && !b.isEmpty() && answer(a.getLast()).equals(answer(b.getLast()));
      for (int i = 0; i < Math.max(a.size(), b.size()); i++) {
        if (i >= a.size() || i >= b.size() || !a.get(i).equals(b.get(i))) {
          return new ChainDifference(i, same);
        }
      }
      return new ChainDifference(null, same);
    }

    /** What is concluded, whatever the step is called that it rests on. */
    private static String answer(String line) {
      int value = line.indexOf('=');
      return line.startsWith("conclude") && value > 0 ? line.substring(value) : line;
    }
  }
}
