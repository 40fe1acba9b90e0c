package dev.reckoner.review;

import jakarta.enterprise.context.ApplicationScoped;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.statement.Query;

/**
 * The analyses in the order in which a person should see them: failed verdicts first, then the
 * least confident, then the oldest.
 */
@ApplicationScoped
public class ReviewQueue {

  /** The most rows of one page. */
  public static final int MAX_PAGE_SIZE = 100;

  private static final String ORDER = " order by a.failed_steps desc, a.confidence, a.created_at";

  /** How often a claim is tried again where somebody else was faster. */
  private static final int CLAIMS = 5;

  private final Jdbi jdbi;
  private final Leases leases;

  ReviewQueue(Jdbi jdbi, Leases leases) {
    this.jdbi = jdbi;
    this.leases = leases;
  }

  /**
   * One line of the queue.
   *
   * @param confidence 0..1
   * @param heldBy who looks at it now; {@code null} if nobody does
   */
  public record Row(
      UUID id,
      String title,
      String subject,
      String type,
      String answer,
      double confidence,
      int verifiedSteps,
      int failedSteps,
      String status,
      String adapterId,
      Instant createdAt,
      String heldBy) {

    /** The event type without the vendor prefix and the version, as words. */
    public String typeLabel() {
      return EventTypes.label(type);
    }

    /** Confidence in percent, rounded. */
    public long percent() {
      return Math.round(confidence * 100);
    }

    /** Where confidence stands on a three-step scale: low, medium or high. */
    public String level() {
      return confidence < 0.5 ? "low" : confidence < 0.8 ? "medium" : "high";
    }

    /** How long it has been waiting, as {@code 5 min}. */
    public String age() {
      return Ages.since(createdAt);
    }
  }

  /**
   * A page of the queue.
   *
   * @param total how many match in all
   */
  public record Page(List<Row> rows, int page, int size, long total) {

    /** How many pages there are, at least one. */
    public long pages() {
      return Math.max(1, (total + size - 1) / size);
    }
  }

  /** How many analyses are in which state; {@code failing} are pending ones with a failed step. */
  public record Counts(long pending, long failing, long approved, long corrected, long rejected) {

    /** How many were decided. */
    public long decided() {
      return approved + corrected + rejected;
    }
  }

  /** The values that filters can take. */
  public record Facets(List<String> types, List<String> subjects, List<String> adapters) {}

  /**
   * One page, least certain first.
   *
   * @param page from 0
   * @param size 1 to {@value #MAX_PAGE_SIZE}
   */
  public Page page(QueueFilter filter, int page, int size) {
    return jdbi.withHandle(
        handle -> {
          List<Row> rows =
              bind(
                      handle.createQuery(
                          """
                          select a.id, a.title, a.subject, a.event_type, a.answer, a.confidence,
                                 a.verified_steps, a.failed_steps, a.status, a.adapter_id,
                                 a.created_at, l.holder
                          from analysis a
                          left join review_lease l on l.analysis_id = a.id and l.lease_until > now()
                          """
                              + where(filter)
                              + ORDER
                              + " limit :limit offset :offset"),
                      filter)
                  .bind("limit", size)
                  .bind("offset", (long) page * size)
                  .map((rs, ctx) -> row(rs))
                  .list();
          long total =
              bind(handle.createQuery("select count(*) from analysis a" + where(filter)), filter)
                  .mapTo(Long.class)
                  .one();
          return new Page(rows, page, size, total);
        });
  }

  /** How many analyses are in which state. */
  public Counts counts() {
    return jdbi.withHandle(
        handle ->
            handle
                .createQuery(
                    """
                    select count(*) filter (where status = 'pending'),
                           count(*) filter (where status = 'pending' and failed_steps > 0),
                           count(*) filter (where status = 'approved'),
                           count(*) filter (where status = 'corrected'),
                           count(*) filter (where status = 'rejected')
                    from analysis
                    """)
                .map(
                    (rs, ctx) ->
                        new Counts(
                            rs.getLong(1),
                            rs.getLong(2),
                            rs.getLong(3),
                            rs.getLong(4),
                            rs.getLong(5)))
                .one());
  }

  /** The values to offer in filters. */
  public Facets facets() {
    return jdbi.withHandle(
        handle ->
            new Facets(
                distinct(handle, "event_type"),
                distinct(handle, "subject"),
                distinct(handle, "adapter_id")));
  }

  /**
   * The pending analysis that {@code reviewer} should see next: not held by somebody else and not
   * one of {@code skipped}. It is not claimed; see {@link Leases}.
   */
  public Optional<UUID> next(String reviewer, List<UUID> skipped) {
    return jdbi.withHandle(
        handle ->
            handle
                .createQuery(
                    """
                    select a.id from analysis a
                    where a.status = 'pending' and a.id <> all(:skipped)
                      and not exists (select 1 from review_lease l where l.analysis_id = a.id
                                      and l.lease_until > now() and l.holder <> :reviewer)
                    """
                        + ORDER
                        + " limit 1")
                .bind("reviewer", reviewer)
                .bindArray("skipped", UUID.class, skipped.toArray())
                .mapTo(UUID.class)
                .findOne());
  }

  /** Claims what {@link #next} offers; empty if nothing waits. */
  public Optional<Leases.Lease> claimNext(String reviewer, List<UUID> skipped) {
    for (int attempt = 0; attempt < CLAIMS; attempt++) {
      Optional<UUID> next = next(reviewer, skipped);
      if (next.isEmpty()) {
        return Optional.empty();
      }
      Leases.Lease lease = leases.claim(next.get(), reviewer);
      if (lease.holder().equals(reviewer)) {
        return Optional.of(lease);
      }
    }
    return Optional.empty();
  }

  private static List<String> distinct(Handle handle, String column) {
    return handle
        .createQuery("select distinct " + column + " from analysis order by 1 limit 500")
        .mapTo(String.class)
        .list();
  }

  /** Only what is asked for, so that the index of the queue can serve it; values are bound. */
  private static String where(QueueFilter filter) {
    List<String> conditions = new ArrayList<>();
    if (filter.status() != null) {
      conditions.add(
          filter.status().equals("pending") ? "a.status = 'pending'" : "a.status = :status");
    }
    if (filter.type() != null) {
      conditions.add("a.event_type = :type");
    }
    if (filter.subject() != null) {
      conditions.add("a.subject = :subject");
    }
    if (filter.verdict() != null) {
      conditions.add(
          filter.verdict().equals("failed") ? "a.failed_steps > 0" : "a.failed_steps = 0");
    }
    if (filter.adapter() != null) {
      conditions.add("a.adapter_id = :adapter");
    }
    if (filter.reviewer() != null) {
      conditions.add(
          "exists (select 1 from standing_decision s"
              + " where s.analysis_id = a.id and s.reviewer = :reviewer)");
    }
    if (filter.search() != null) {
      conditions.add(
          "(a.title ilike :search or a.subject ilike :search or a.answer ilike :search)");
    }
    return conditions.isEmpty() ? "" : " where " + String.join(" and ", conditions);
  }

  private static Query bind(Query query, QueueFilter filter) {
    Map<String, Object> values = new HashMap<>();
    values.put("status", filter.status());
    values.put("type", filter.type());
    values.put("subject", filter.subject());
    values.put("adapter", filter.adapter());
    values.put("reviewer", filter.reviewer());
    values.put("search", filter.searchPattern());
    values.values().removeIf(Objects::isNull);
    if ("pending".equals(filter.status())) {
      values.remove("status");
    }
    return query.bindMap(values);
  }

  private static Row row(ResultSet rs) throws SQLException {
    return new Row(
        rs.getObject("id", UUID.class),
        rs.getString("title"),
        rs.getString("subject"),
        rs.getString("event_type"),
        rs.getString("answer"),
        rs.getDouble("confidence"),
        rs.getInt("verified_steps"),
        rs.getInt("failed_steps"),
        rs.getString("status"),
        rs.getString("adapter_id"),
        rs.getTimestamp("created_at").toInstant(),
        rs.getString("holder"));
  }
}
