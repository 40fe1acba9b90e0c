package dev.reckoner.review;

import jakarta.enterprise.context.ApplicationScoped;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collections;
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
 * The analyses in the order in which a person should see them: what reviewers disagree about first,
 * then failed verdicts, then the least confident, then the oldest.
 */
@ApplicationScoped
public class ReviewQueue {

  /** The most rows of one page. */
  public static final int MAX_PAGE_SIZE = 100;

  /** The most that a page counts; beyond it there are simply more. */
  static final int MOST_COUNTED = 1_000;

  /** The same of a search: with a lower limit Postgres passes its index by and reads every row. */
  static final int MOST_FOUND = 10_000;

  // The key of the queue, as its index has it: what is disputed, then the rest of it.
  private static final String DISPUTED = "(not a.disputed), ";

  private static final String KEY = "(-a.failed_steps), a.confidence, a.created_at, a.id";

  private static final String ORDER = " order by " + DISPUTED + KEY;

  /** What the person who asks has said about it blind, and nobody settled. */
  private static final String OPINION_OF =
      """
      exists (select 1 from decision o where o.analysis_id = a.id and o.blind
              and o.kind <> 'undo' and o.reviewer = :viewer
              and not exists (select 1 from decision u where u.undoes = o.id))
      """;

  private static final String PLACE = ":negatedFailed, :confidence, :createdAt, :cursor";

  /** What was planted for one person is nobody else's. */
  private static final String NOT_FOR_OTHERS =
      "not exists (select 1 from planted p where p.analysis_id = a.id and p.made_for <> :viewer)";

  /** So old may a count be that nobody asked for; the open pages' stream renews it sooner. */
  private static final Duration RECENT = Duration.ofSeconds(3);

  /** How often a claim is tried again where somebody else was faster. */
  private static final int CLAIMS = 5;

  private final Jdbi jdbi;
  private final Leases leases;
  private final Planting planting;
  private volatile Tally tally;

  ReviewQueue(Jdbi jdbi, Leases leases, Planting planting) {
    this.jdbi = jdbi;
    this.leases = leases;
    this.planting = planting;
  }

  /**
   * One line of the queue.
   *
   * @param confidence 0..1
   * @param heldBy who looks at it now; {@code null} if nobody does
   * @param reviewed whether the person who asks has reviewed it and somebody else has to as well
   * @param disputed whether two people differ about it, and the person who asks is neither
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
      String heldBy,
      boolean reviewed,
      boolean disputed) {

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
   * @param total how many match in all, as far as they are counted
   * @param more whether there are more than {@code total}
   * @param next where the page behind this one begins; {@code null} at the end
   * @param previous where the page before this one ends; {@code null} at the beginning
   */
  public record Page(List<Row> rows, long total, boolean more, String next, String previous) {}

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
   * One page, least certain first. What {@code viewer} has reviewed blind does not wait for them:
   * they find it again only among what is theirs, where nothing tells whether somebody differs.
   *
   * @param viewer who asks
   * @param after where to go on, from {@link Page#next}; {@code null} for the beginning
   * @param before where to go back from, from {@link Page#previous}; not together with {@code
   *     after}
   * @param size 1 to {@value #MAX_PAGE_SIZE}
   */
  public Page page(QueueFilter filter, String viewer, String after, String before, int size) {
    QueueCursor forward = QueueCursor.of(after);
    QueueCursor back = forward == null ? QueueCursor.of(before) : null;
    QueueCursor from = forward == null ? back : forward;
    return jdbi.inTransaction(
        handle -> {
          if (filter.search() != null) {
            // How to search depends on what for: a plan for anything reads all that the index has.
            handle.execute("set local plan_cache_mode = force_custom_plan");
          }
          int most = filter.search() == null ? MOST_COUNTED : MOST_FOUND;
          List<UUID> sources = planting.sourcesInUse(handle, viewer);
          // One row more than fits says whether there is another page.
          List<Placed> found =
              new ArrayList<>(rows(handle, filter, viewer, sources, from, back != null, size + 1));
          boolean beyond = found.size() > size;
          if (beyond) {
            found.removeLast();
          }
          if (back != null) {
            Collections.reverse(found);
          }
          long counted =
              bind(
                      handle.createQuery(
                          "select count(*) from (select 1 from analysis a"
                              + where(filter, viewer, sources, null)
                              + " limit :most) counted"),
                      filter)
                  .bind("viewer", viewer)
                  .bindArray("sources", UUID.class, sources.toArray())
                  .bind("most", most + 1)
                  .mapTo(Long.class)
                  .one();
          boolean hasNext = back == null ? beyond : true;
          boolean hasPrevious = back == null ? forward != null : beyond;
          return new Page(
              found.stream().map(Placed::row).toList(),
              Math.min(counted, most),
              counted > most,
              hasNext && !found.isEmpty() ? found.getLast().place().text() : null,
              hasPrevious && !found.isEmpty() ? found.getFirst().place().text() : null);
        });
  }

  /** A row and where it stands. */
  private record Placed(Row row, QueueCursor place) {}

  private static List<Placed> rows(
      Handle handle,
      QueueFilter filter,
      String viewer,
      List<UUID> sources,
      QueueCursor from,
      boolean backwards,
      int limit) {
    String key = own(filter, viewer) ? KEY : DISPUTED + KEY;
    String values = own(filter, viewer) ? PLACE : ":notDisputed, " + PLACE;
    String place = from == null ? null : "(" + key + (backwards ? ") < (" : ") > (") + values + ")";
    Query query =
        bind(
                handle.createQuery(
                    """
                    select a.id, a.title, a.subject, a.event_type, a.answer, a.confidence,
                           a.verified_steps, a.failed_steps, a.status, a.adapter_id, a.disputed,
                           a.created_at, l.holder,
                           a.status = 'pending' and
                    """
                        + OPINION_OF
                        + """
                           as reviewed
                        from analysis a
                        left join review_lease l on l.analysis_id = a.id and l.lease_until > now()
                        """
                        + where(filter, viewer, sources, place)
                        + " order by "
                        + (backwards ? key.replace(",", " desc,") + " desc" : key)
                        + " limit :limit"),
                filter)
            .bind("viewer", viewer)
            .bindArray("sources", UUID.class, sources.toArray())
            .bind("limit", limit);
    if (from != null) {
      query
          .bind("notDisputed", !from.disputed())
          .bind("negatedFailed", -from.failedSteps())
          .bind("confidence", from.confidence())
          .bind("createdAt", from.createdAt())
          .bind("cursor", from.id());
    }
    return query.map((rs, ctx) -> placed(rs)).list();
  }

  /** The counts of a moment ago, for what stands around every page. */
  Counts recentCounts(String viewer) {
    Tally last = tally;
    return last == null || System.nanoTime() - last.at() > RECENT.toNanos()
        ? tally().seenBy(viewer)
        : last.seenBy(viewer);
  }

  /** How many analyses are in which state, as {@code viewer} may know it. */
  public Counts counts(String viewer) {
    return tally().seenBy(viewer);
  }

  /** Counted now. */
  Tally tally() {
    Tally now = jdbi.withHandle(Tally::count);
    tally = now;
    return now;
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
   * The pending analysis that {@code reviewer} should see next: not held by somebody else, not one
   * that waits for somebody else's opinion, and not one of {@code skipped}. A planted error stands
   * in the queue where it would by itself, and is only taken out of turn after an hour. It is not
   * claimed; see {@link Leases}.
   */
  public Optional<UUID> next(String reviewer, List<UUID> skipped) {
    return jdbi.withHandle(
        handle -> {
          Optional<UUID> overdue = planting.overdue(handle, reviewer, skipped);
          return overdue.isPresent()
              ? overdue
              : handle
                  .createQuery(
                      """
                      select a.id from analysis a
                      where a.status = 'pending' and a.id <> all(:skipped)
                        and not exists (select 1 from review_lease l where l.analysis_id = a.id
                                        and l.lease_until > now() and l.holder <> :viewer)
                        and not
                      """
                          + OPINION_OF
                          + " and "
                          + NOT_FOR_OTHERS
                          + ORDER
                          + " limit 1")
                  .bind("viewer", reviewer)
                  .bindArray("skipped", UUID.class, skipped.toArray())
                  .mapTo(UUID.class)
                  .findOne();
        });
  }

  /** Claims what {@link #next} offers; empty if nothing waits. */
  public Optional<Leases.Lease> claimNext(String reviewer, List<UUID> skipped) {
    Optional<Leases.Lease> claimed = claim(reviewer, skipped);
    if (claimed.isPresent()) {
      // For a later turn, so that a planted item is claimed and loaded ahead like any other.
      planting.maybe(reviewer);
    }
    return claimed;
  }

  private Optional<Leases.Lease> claim(String reviewer, List<UUID> skipped) {
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

  /** From value to value along the index, which a plain {@code distinct} would read as a whole. */
  private static List<String> distinct(Handle handle, String column) {
    return handle
        .createQuery(
            """
            with recursive found(value, n) as (
              (select COLUMN, 1 from analysis order by COLUMN limit 1)
              union all
              select (select a.COLUMN from analysis a where a.COLUMN > found.value
                      order by a.COLUMN limit 1), n + 1
              from found where found.value is not null and n < 500)
            select value from found where value is not null
            """
                .replace("COLUMN", column))
        .mapTo(String.class)
        .list();
  }

  /** Whether somebody looks at what is theirs. */
  private static boolean own(QueueFilter filter, String viewer) {
    return viewer.equals(filter.reviewer());
  }

  /** Only what is asked for, so that the index of the queue can serve it; values are bound. */
  private static String where(QueueFilter filter, String viewer, List<UUID> sources, String place) {
    List<String> conditions = new ArrayList<>();
    if (place != null) {
      conditions.add(place);
    }
    conditions.add(NOT_FOR_OTHERS);
    if (!sources.isEmpty()) {
      conditions.add("a.id <> all(:sources)");
    }
    boolean mayWait = filter.status() == null || filter.status().equals("pending");
    if (mayWait && !own(filter, viewer)) {
      conditions.add("not (a.status = 'pending' and " + OPINION_OF + ")");
    }
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
          switch (filter.verdict()) {
            // As the index of the queue has it, so that what is left out is not read.
            case "failed" -> "(-a.failed_steps) < 0";
            case "passed" -> "(-a.failed_steps) = 0";
            // Whoever gave one of the opinions must not learn that the other differs.
            default -> "a.disputed and not " + OPINION_OF;
          });
    }
    if (filter.adapter() != null) {
      conditions.add("a.adapter_id = :adapter");
    }
    if (filter.reviewer() != null) {
      String decided =
          "exists (select 1 from standing_decision s"
              + " where s.analysis_id = a.id and s.reviewer = :reviewer)";
      conditions.add(
          own(filter, viewer)
              ? "(" + decided + " or a.status = 'pending' and " + OPINION_OF + ")"
              : decided);
    }
    if (filter.age() != null) {
      conditions.add(
          switch (filter.age()) {
            case "hour" -> "a.created_at > now() - interval '1 hour'";
            case "day" -> "a.created_at > now() - interval '1 day'";
            case "week" -> "a.created_at > now() - interval '7 days'";
            default -> "a.created_at <= now() - interval '7 days'";
          });
    }
    if (filter.search() != null) {
      conditions.add("(a.title || ' ' || a.subject || ' ' || a.answer) ilike :search");
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

  private static Placed placed(ResultSet rs) throws SQLException {
    boolean reviewed = rs.getBoolean("reviewed");
    Row row =
        new Row(
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
            rs.getString("holder"),
            reviewed,
            rs.getBoolean("disputed") && !reviewed);
    return new Placed(
        row,
        new QueueCursor(
            row.disputed(),
            row.failedSteps(),
            row.confidence(),
            rs.getObject("created_at", OffsetDateTime.class),
            row.id()));
  }
}
