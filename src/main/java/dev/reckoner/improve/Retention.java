package dev.reckoner.improve;

import io.quarkus.scheduler.Scheduled;
import jakarta.enterprise.context.ApplicationScoped;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.commons.codec.digest.DigestUtils;
import org.jboss.logging.Logger;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/**
 * Removes what is not needed any more: files and evidence of old adapters, checkpoints of ended
 * runs, published messages, the bytes of events that are done. Rows that the lineage and the ledger
 * name stay, with the hashes of what was removed; the ledger itself is never touched.
 */
@ApplicationScoped
class Retention {

  private static final Logger LOG = Logger.getLogger(Retention.class);

  /** Rows of one statement, so that none holds its locks for long. */
  private static final int BATCH = 10_000;

  private final Jdbi jdbi;
  private final Ledger ledger;
  private final ImproveConfig config;
  private final Path data;

  Retention(Jdbi jdbi, Ledger ledger, ImproveConfig config, ReckonerConfig directories) {
    this.jdbi = jdbi;
    this.ledger = ledger;
    this.config = config;
    this.data = directories.dataDir();
  }

  @Scheduled(every = "1h", delayed = "5m", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
  void scheduled() {
    clean(); // the scheduler takes methods without a result only
  }

  /**
   * Removes once, in the database for all replicas and on this one's disk.
   *
   * @return what was removed and how much of it
   */
  Map<String, Integer> clean() {
    Map<String, Integer> removed = new TreeMap<>();
    jdbi.useTransaction(
        h -> {
          h.execute("select pg_advisory_xact_lock(hashtext('reckoner-retention'))");
          List<String> adapters = adapters(h);
          count(removed, "adapters", adapters.size());
          count(removed, "messages", messages(h));
          count(removed, "raw events", rawEvents(h));
          if (!removed.isEmpty()) {
            Map<String, Object> entry = new TreeMap<>(removed);
            entry.put("adapterIds", adapters);
            ledger.append(h, Ledger.Kind.RETENTION, "reckoner", "retention", entry);
          }
        });
    try {
      count(removed, "run directories", runDirectories());
      count(removed, "adapter directories", adapterDirectories());
      count(removed, "measurements", old(data.resolve("measurements")));
    } catch (IOException e) {
      LOG.warnf("not everything could be removed from %s: %s", data, e.getMessage());
    }
    if (!removed.isEmpty()) {
      LOG.infof("removed %s", removed);
    }
    return removed;
  }

  private static void count(Map<String, Integer> removed, String what, int number) {
    if (number > 0) {
      removed.put(what, number);
    }
  }

  /**
   * Adapters beyond the newest N or older than D lose files and evidence; whoever serves, is
   * candidate or shadow, and what a rollback goes back to, keep them.
   */
  private List<String> adapters(Handle handle) {
    List<String> old =
        handle
            .createQuery(
                """
                select id from (
                  select id, created_at, row_number() over (order by created_at desc, id) as age
                  from adapter where removed_at is null) a
                where (age > :keep or created_at < now() - make_interval(secs => :seconds))
                  and not exists (select 1 from adapter_alias l where l.adapter_id = a.id)
                  and not exists (
                    select 1 from adapter_release r join adapter_alias c
                      on c.slot = r.slot and c.alias = 'champion' and c.adapter_id = r.adapter_id
                    where r.previous_id = a.id)
                  and not exists (select 1 from training_run t where t.adapter_id = a.id
                    and t.status in ('queued', 'building', 'training', 'evaluating', 'passed')
                    and t.finished_at > now() - make_interval(secs => :seconds))
                order by id
                """)
            .bind("keep", config.retention().adapters())
            .bind("seconds", config.retention().age().toSeconds())
            .mapTo(String.class)
            .list();
    for (String id : old) {
      handle.execute("delete from adapter_file where adapter_id = ?", id);
      String evidence =
          handle
              .createQuery("select coalesce(cast(gate as text), '') from adapter where id = ?")
              .bind(0, id)
              .mapTo(String.class)
              .one();
      // The verdict and its reason stay readable; every number of it does not.
      handle.execute(
          "update adapter set removed_at = now(), gate = case when gate is null then null else"
              + " jsonb_build_object('passed', gate->'passed', 'refusal', gate->'refusal',"
              + " 'removedSha256', cast(? as text)) end where id = ?",
          DigestUtils.sha256Hex(evidence),
          id);
    }
    return old;
  }

  /**
   * Published messages. Of a dead letter only the bytes go: its origin keeps a record that comes
   * again from being buried twice.
   */
  private int messages(Handle handle) {
    long seconds = config.retention().messages().toSeconds();
    return handle.execute(
            "delete from outbox where id in (select id from outbox where origin is null and"
                + " published_at < now() - make_interval(secs => ?) limit ?)",
            seconds,
            BATCH)
        + handle.execute(
            "update outbox set raw = ''::bytea, payload = null where id in (select id from outbox"
                + " where origin is not null and published_at < now() - make_interval(secs => ?)"
                + " and (octet_length(raw) > 0 or payload is not null) limit ?)",
            seconds,
            BATCH);
  }

  /** The hash of the bytes and the parsed event stay. */
  private int rawEvents(Handle handle) {
    return handle.execute(
        "update inbox set raw = ''::bytea where event_key in (select event_key from inbox"
            + " where status in ('done', 'dead') and finished_at < now() - make_interval(secs => ?)"
            + " and octet_length(raw) > 0 limit ?)",
        config.retention().rawEvents().toSeconds(),
        BATCH);
  }

  private int runDirectories() throws IOException {
    Set<String> needed =
        new HashSet<>(
            jdbi.withHandle(
                h ->
                    h.createQuery(
                            "select cast(id as text) from training_run where finished_at is null"
                                + " or finished_at > now() - make_interval(secs => ?)")
                        .bind(0, config.retention().checkpoints().toSeconds())
                        .mapTo(String.class)
                        .list()));
    return remove(data.resolve("runs"), needed);
  }

  private int adapterDirectories() throws IOException {
    Set<String> needed =
        new HashSet<>(
            jdbi.withHandle(
                h ->
                    h.createQuery("select id from adapter where removed_at is null")
                        .mapTo(String.class)
                        .list()));
    return remove(data.resolve("adapters"), needed);
  }

  private static int remove(Path parent, Set<String> needed) throws IOException {
    int removed = 0;
    for (Path directory : children(parent)) {
      if (Files.isDirectory(directory) && !needed.contains(directory.getFileName().toString())) {
        delete(directory);
        removed++;
      }
    }
    return removed;
  }

  private int old(Path parent) throws IOException {
    Duration age = config.retention().age();
    int removed = 0;
    for (Path file : children(parent)) {
      if (Files.getLastModifiedTime(file).toInstant().isBefore(Instant.now().minus(age))) {
        Files.delete(file);
        removed++;
      }
    }
    return removed;
  }

  private static List<Path> children(Path parent) throws IOException {
    if (!Files.isDirectory(parent)) {
      return List.of();
    }
    try (Stream<Path> list = Files.list(parent)) {
      return list.toList();
    }
  }

  private static void delete(Path directory) throws IOException {
    try (Stream<Path> walk = Files.walk(directory)) {
      for (Path path : walk.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }
}
