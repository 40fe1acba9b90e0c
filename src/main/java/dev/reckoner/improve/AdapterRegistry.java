package dev.reckoner.improve;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import jakarta.enterprise.context.ApplicationScoped;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/**
 * The adapters there are, their files, and which of them serves. Every change of the champion is
 * one transaction: alias, history, announcement on {@code adapter-releases}, ledger.
 */
@ApplicationScoped
public class AdapterRegistry {

  private static final String SELECT =
      """
      select a.*, coalesce((select array_agg(alias) from adapter_alias l
                             where l.adapter_id = a.id and l.slot = 'default'), '{}') as aliases
      from adapter a
      """;

  private final Jdbi jdbi;
  private final Outbox outbox;
  private final Ledger ledger;

  AdapterRegistry(Jdbi jdbi, Outbox outbox, Ledger ledger) {
    this.jdbi = jdbi;
    this.outbox = outbox;
    this.ledger = ledger;
  }

  /** Newest first. */
  public List<RegisteredAdapter> all() {
    return jdbi.withHandle(
        h ->
            h.createQuery(SELECT + " order by a.created_at desc, a.id")
                .map((rs, ctx) -> adapter(rs))
                .list());
  }

  public Optional<RegisteredAdapter> find(String id) {
    return jdbi.withHandle(h -> find(h, id));
  }

  /** The adapter that serves; empty where the base model serves alone. */
  public Optional<RegisteredAdapter> champion() {
    return jdbi.withHandle(
        h -> championId(h, AdapterRelease.DEFAULT_SLOT).flatMap(id -> find(h, id)));
  }

  /** The adapter that analyses live events beside the champion; empty for none. */
  public Optional<RegisteredAdapter> shadow() {
    return jdbi.withHandle(
        h -> aliasId(h, AdapterRelease.DEFAULT_SLOT, "shadow").flatMap(id -> find(h, id)));
  }

  /**
   * Lets an adapter analyse live events beside the champion, without publishing. It need not have
   * passed the gate.
   *
   * @param adapterId {@code null} to end it
   * @throws ImprovementException if there is no such adapter, or it is the champion
   */
  public void shadow(String adapterId, String actor) {
    jdbi.useTransaction(
        h -> {
          lock(h);
          if (adapterId != null) {
            requireFiles(h, require(h, adapterId));
            if (championId(h, AdapterRelease.DEFAULT_SLOT).filter(adapterId::equals).isPresent()) {
              throw new ImprovementException(
                  "adapter "
                      + adapterId
                      + " serves already, so it has nothing to be compared with");
            }
          }
          setAlias(h, AdapterRelease.DEFAULT_SLOT, "shadow", adapterId, actor);
          ledger.append(
              h,
              Ledger.Kind.SHADOW,
              actor,
              adapterId == null ? AdapterRelease.BASE : adapterId,
              Map.of("shadow", adapterId == null ? "" : adapterId));
        });
  }

  private static void requireFiles(Handle handle, RegisteredAdapter adapter) {
    boolean removed =
        handle
            .createQuery("select removed_at is not null from adapter where id = ?")
            .bind(0, adapter.id())
            .mapTo(Boolean.class)
            .one();
    if (removed) {
      throw new ImprovementException(
          "the files of adapter "
              + adapter.id()
              + " were removed after their time: train it again");
    }
  }

  /**
   * Lets what an adapter analysed and nobody has decided be analysed again by what serves now. The
   * old analysis is removed, and its ledger entry stays; a second message on {@code analyses}
   * follows the first.
   *
   * @return how many events wait again
   */
  int requeue(Handle handle, String adapterId, String actor) {
    List<String> events =
        handle
            .createQuery(
                """
                delete from analysis a where a.adapter_id = :adapter and a.status = 'pending'
                  and not exists (select 1 from decision d where d.analysis_id = a.id)
                  and not exists (select 1 from dataset_item i where i.analysis_id = a.id)
                  and not exists (select 1 from gate_item g where g.analysis_id = a.id)
                  and not exists (select 1 from planted p
                                  where p.source_id = a.id or p.analysis_id = a.id)
                returning event_key
                """)
            .bind("adapter", adapterId)
            .mapTo(String.class)
            .list();
    for (String event : events) {
      // Under a lease for a moment, so that every replica has swapped before one takes it.
      handle.execute(
          "update inbox set status = 'received', attempts = 0, finished_at = null,"
              + " lease_owner = 'requeue', lease_until = now() + interval '30 seconds'"
              + " where event_key = ?",
          event);
    }
    if (!events.isEmpty()) {
      ledger.append(
          handle,
          Ledger.Kind.REQUEUE,
          actor,
          adapterId,
          Map.of("adapter", adapterId, "events", events));
    }
    return events.size();
  }

  /** The files of an adapter; empty if there is no such adapter. */
  Optional<AdapterFiles> files(String id) {
    SortedMap<String, byte[]> content = new TreeMap<>();
    jdbi.useHandle(
        h ->
            h.createQuery("select name, content from adapter_file where adapter_id = ?")
                .bind(0, id)
                .map((rs, ctx) -> Map.entry(rs.getString(1), rs.getBytes(2)))
                .forEach(file -> content.put(file.getKey(), file.getValue())));
    return content.isEmpty() ? Optional.empty() : Optional.of(new AdapterFiles(content));
  }

  /**
   * Adds an adapter with its files and the gate's evidence; the caller's transaction.
   *
   * @param gate {@code null} for an adapter that no gate has seen
   */
  void register(
      Handle handle,
      String id,
      AdapterFiles files,
      String baseModelHash,
      UUID runId,
      String datasetHash,
      JsonNode gate,
      boolean passed) {
    handle.execute(
        "insert into adapter (id, sha256, base_model_hash, run_id, dataset_hash, gate, passed)"
            + " values (?, ?, ?, ?, ?, cast(? as jsonb), ?)",
        id,
        files.hash(),
        baseModelHash,
        runId,
        datasetHash,
        gate == null ? null : CanonicalJson.write(gate),
        passed);
    SortedMap<String, String> hashes = files.fileHashes();
    files
        .content()
        .forEach(
            (name, bytes) ->
                handle.execute(
                    "insert into adapter_file (adapter_id, name, sha256, content)"
                        + " values (?, ?, ?, ?)",
                    id,
                    name,
                    hashes.get(name),
                    bytes));
    setAlias(handle, AdapterRelease.DEFAULT_SLOT, "candidate", id, "registry");
  }

  /**
   * Makes an adapter that passed the gate the champion and announces it.
   *
   * @throws ImprovementException if there is no such adapter, if it has not passed, or if it serves
   *     already
   */
  public AdapterRelease promote(String adapterId, String actor) {
    return jdbi.inTransaction(h -> promote(h, adapterId, actor));
  }

  AdapterRelease promote(Handle handle, String adapterId, String actor) {
    RegisteredAdapter adapter = require(handle, adapterId);
    if (!adapter.passed()) {
      throw new ImprovementException(
          "adapter " + adapterId + " has not passed the gate, so it cannot be promoted");
    }
    return release(handle, adapter, Ledger.Kind.PROMOTION, actor);
  }

  /**
   * Promotes, unless something else serves than what the adapter was compared with.
   *
   * @param champion id of that; {@code null} for the base model
   * @return whether it serves
   */
  boolean promoteOver(Handle handle, String champion, String adapterId, String actor) {
    lock(handle);
    boolean still =
        Objects.equals(championId(handle, AdapterRelease.DEFAULT_SLOT).orElse(null), champion);
    if (still) {
      promote(handle, adapterId, actor);
    }
    return still;
  }

  /**
   * Goes back to what served before the present champion.
   *
   * @throws ImprovementException if nothing was promoted
   */
  public AdapterRelease rollback(String actor) {
    return rollback(actor, false);
  }

  /**
   * Goes back to what served before the present champion.
   *
   * @param requeue whether what the champion analysed and nobody has decided is analysed again
   * @throws ImprovementException if nothing was promoted
   */
  public AdapterRelease rollback(String actor, boolean requeue) {
    return jdbi.inTransaction(
        h -> {
          lock(h);
          String slot = AdapterRelease.DEFAULT_SLOT;
          String champion =
              championId(h, slot)
                  .orElseThrow(
                      () ->
                          new ImprovementException(
                              "the base model serves without an adapter: nothing to roll back"));
          Optional<String> previous =
              h.createQuery(
                      "select previous_id from adapter_release"
                          + " where slot = ? and adapter_id = ? and kind = 'promotion'"
                          + " order by id desc limit 1")
                  .bind(0, slot)
                  .bind(1, champion)
                  .map((rs, ctx) -> Optional.ofNullable(rs.getString(1)))
                  .findOne()
                  .flatMap(id -> id);
          RegisteredAdapter target = previous.map(id -> require(h, id)).orElse(null);
          AdapterRelease release = release(h, target, Ledger.Kind.ROLLBACK, actor);
          if (requeue) {
            requeue(h, champion, actor);
          }
          return release;
        });
  }

  /**
   * Goes back to an adapter that has been champion before, or to {@link AdapterRelease#BASE}.
   *
   * @throws ImprovementException if it never was, or if it serves already
   */
  public AdapterRelease rollbackTo(String adapterId, String actor) {
    return jdbi.inTransaction(
        h -> {
          lock(h);
          if (adapterId.equals(AdapterRelease.BASE)) {
            return release(h, null, Ledger.Kind.ROLLBACK, actor);
          }
          RegisteredAdapter adapter = require(h, adapterId);
          boolean served =
              h.createQuery("select count(*) from adapter_release where adapter_id = ?")
                      .bind(0, adapterId)
                      .mapTo(Integer.class)
                      .one()
                  > 0;
          if (!served) {
            throw new ImprovementException(
                "adapter "
                    + adapterId
                    + " has never served, so there is nothing to roll back to: promote it");
          }
          return release(h, adapter, Ledger.Kind.ROLLBACK, actor);
        });
  }

  /** The present champion as a release, for a replica that starts; empty for the base alone. */
  Optional<AdapterRelease> championRelease() {
    return champion()
        .map(
            a ->
                new AdapterRelease(
                    AdapterRelease.DEFAULT_SLOT,
                    a.id(),
                    a.sha256(),
                    a.baseModelHash(),
                    "registry",
                    a.createdAt()));
  }

  private AdapterRelease release(
      Handle handle, RegisteredAdapter adapter, Ledger.Kind kind, String actor) {
    lock(handle);
    if (adapter != null) {
      requireFiles(handle, adapter);
    }
    String slot = AdapterRelease.DEFAULT_SLOT;
    String id = adapter == null ? null : adapter.id();
    String previous = championId(handle, slot).orElse(null);
    if (Objects.equals(id, previous)) {
      throw new ImprovementException(
          (id == null ? "the base model" : "adapter " + id) + " serves already");
    }
    AdapterRelease release =
        new AdapterRelease(
            slot,
            id == null ? AdapterRelease.BASE : id,
            adapter == null ? "" : adapter.sha256(),
            adapter == null ? "" : adapter.baseModelHash(),
            actor,
            Instant.now().truncatedTo(ChronoUnit.MICROS));
    setAlias(handle, slot, "champion", id, actor);
    handle.execute(
        "delete from adapter_alias where slot = ? and alias in ('candidate', 'shadow')"
            + " and adapter_id = ?",
        slot,
        id);
    handle.execute(
        "insert into adapter_release (slot, adapter_id, previous_id, kind, released_by)"
            + " values (?, ?, ?, ?, ?)",
        slot,
        id,
        previous,
        kind == Ledger.Kind.PROMOTION ? "promotion" : "rollback",
        actor);
    outbox.announce(handle, AdapterRelease.TOPIC, AdapterRelease.EVENT_TYPE, slot, release.data());
    ledger.append(handle, kind, actor, release.adapterId(), release);
    return release;
  }

  /** Two promotions at once would each read the other's old champion. */
  private static void lock(Handle handle) {
    handle.execute("lock table adapter_alias in share row exclusive mode");
  }

  private static void setAlias(
      Handle handle, String slot, String alias, String adapterId, String actor) {
    handle.execute(
        "insert into adapter_alias (slot, alias, adapter_id, changed_by) values (?, ?, ?, ?)"
            + " on conflict (slot, alias) do update set adapter_id = excluded.adapter_id,"
            + " changed_by = excluded.changed_by, changed_at = now()",
        slot,
        alias,
        adapterId,
        actor);
  }

  private static Optional<String> championId(Handle handle, String slot) {
    return aliasId(handle, slot, "champion");
  }

  private static Optional<String> aliasId(Handle handle, String slot, String alias) {
    return handle
        .createQuery(
            "select adapter_id from adapter_alias where slot = ? and alias = ?"
                + " and adapter_id is not null")
        .bind(0, slot)
        .bind(1, alias)
        .mapTo(String.class)
        .findOne();
  }

  private static RegisteredAdapter require(Handle handle, String id) {
    return find(handle, id)
        .orElseThrow(() -> new ImprovementException("there is no adapter " + id));
  }

  private static Optional<RegisteredAdapter> find(Handle handle, String id) {
    return handle
        .createQuery(SELECT + " where a.id = ?")
        .bind(0, id)
        .map((rs, ctx) -> adapter(rs))
        .findOne();
  }

  private static RegisteredAdapter adapter(ResultSet rs) throws SQLException {
    String gate = rs.getString("gate");
    Set<String> aliases =
        new TreeSet<>(Arrays.asList((String[]) rs.getArray("aliases").getArray()));
    try {
      return new RegisteredAdapter(
          rs.getString("id"),
          rs.getString("sha256"),
          rs.getString("base_model_hash"),
          rs.getObject("run_id", UUID.class),
          rs.getString("dataset_hash"),
          gate == null ? null : CanonicalJson.MAPPER.readTree(gate),
          rs.getBoolean("passed"),
          aliases,
          rs.getTimestamp("created_at").toInstant());
    } catch (JsonProcessingException e) {
      throw new SQLException("adapter.gate is not JSON", e);
    }
  }
}
