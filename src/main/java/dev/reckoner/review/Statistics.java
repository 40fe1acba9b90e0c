package dev.reckoner.review;

import jakarta.enterprise.context.ApplicationScoped;
import java.time.LocalDate;
import java.util.List;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/** How the reviewing goes: throughput, verdicts over time, approval, time to decision. */
@ApplicationScoped
public class Statistics {

  /** How many days back the daily figures go, today included. */
  public static final int DAYS = 14;

  /** A decision faster than this was hardly looked at. */
  static final long HASTY_MILLIS = 2_000;

  private final Jdbi jdbi;

  Statistics(Jdbi jdbi) {
    this.jdbi = jdbi;
  }

  /**
   * One day, in UTC.
   *
   * @param verified analyses of that day without a failed step
   * @param failing analyses of that day with one
   */
  public record Day(
      LocalDate date, long verified, long failing, long approved, long corrected, long rejected) {

    public long analysed() {
      return verified + failing;
    }

    public long decided() {
      return approved + corrected + rejected;
    }
  }

  /** Standing decisions of one group: an event type or an adapter. */
  public record Group(String name, long approved, long corrected, long rejected) {

    /** The name as an event type in words. */
    public String label() {
      return EventTypes.label(name);
    }

    public long decided() {
      return approved + corrected + rejected;
    }

    /** The share that was approved as it was, in percent. */
    public long approvalPercent() {
      return percent(approved);
    }

    public long correctedPercent() {
      return percent(corrected);
    }

    public long rejectedPercent() {
      return percent(rejected);
    }

    private long percent(long part) {
      return decided() == 0 ? 0 : Math.round(100.0 * part / decided());
    }
  }

  /**
   * One reviewer.
   *
   * @param medianMillis median time from opening a chain to deciding
   * @param hasty decisions in under two seconds
   */
  public record Reviewer(String name, long decisions, long undone, long medianMillis, long hasty) {}

  /** How often a reason was given. */
  public record Reason(ReasonTag tag, long count) {}

  /**
   * Everything.
   *
   * @param days the oldest first, without gaps
   */
  public record Report(
      ReviewQueue.Counts counts,
      List<Day> days,
      List<Group> types,
      List<Group> adapters,
      List<Reviewer> reviewers,
      List<Reason> reasons) {}

  /** As of now. */
  public Report report(ReviewQueue.Counts counts) {
    return jdbi.withHandle(
        handle ->
            new Report(
                counts,
                days(handle),
                groups(handle, "event_type"),
                groups(handle, "adapter_id"),
                reviewers(handle),
                reasons(handle)));
  }

  private static List<Day> days(Handle handle) {
    return handle
        .createQuery(
            """
            with day as (
              select (now() at time zone 'utc')::date - n as date from generate_series(0, :last) n),
            analysed as (
              select (created_at at time zone 'utc')::date as date,
                     count(*) filter (where failed_steps = 0) as verified,
                     count(*) filter (where failed_steps > 0) as failing
              from analysis where created_at > now() - :days * interval '1 day' group by 1),
            decided as (
              select (decided_at at time zone 'utc')::date as date,
                     count(*) filter (where kind = 'approve') as approved,
                     count(*) filter (where kind = 'correct') as corrected,
                     count(*) filter (where kind = 'reject') as rejected
              from standing_decision where decided_at > now() - :days * interval '1 day' group by 1)
            select day.date, coalesce(verified, 0), coalesce(failing, 0), coalesce(approved, 0),
                   coalesce(corrected, 0), coalesce(rejected, 0)
            from day left join analysed using (date) left join decided using (date)
            order by day.date
            """)
        .bind("days", DAYS)
        .bind("last", DAYS - 1)
        .map(
            (rs, ctx) ->
                new Day(
                    rs.getObject(1, LocalDate.class),
                    rs.getLong(2),
                    rs.getLong(3),
                    rs.getLong(4),
                    rs.getLong(5),
                    rs.getLong(6)))
        .list();
  }

  private static List<Group> groups(Handle handle, String column) {
    return handle
        .createQuery(
            "select a."
                + column
                + """
                , count(*) filter (where d.kind = 'approve'),
                  count(*) filter (where d.kind = 'correct'),
                  count(*) filter (where d.kind = 'reject')
                from standing_decision d join analysis a on a.id = d.analysis_id
                group by 1 order by count(*) desc limit 20
                """)
        .map((rs, ctx) -> new Group(rs.getString(1), rs.getLong(2), rs.getLong(3), rs.getLong(4)))
        .list();
  }

  private static List<Reviewer> reviewers(Handle handle) {
    return handle
        .createQuery(
            """
            select d.reviewer, count(*),
                   count(*) filter (where exists (select 1 from decision u where u.undoes = d.id)),
                   percentile_cont(0.5) within group (order by d.dwell_millis)::bigint,
                   count(*) filter (where d.dwell_millis < :hasty)
            from decision d where d.kind <> 'undo' group by 1 order by 2 desc limit 50
            """)
        .bind("hasty", HASTY_MILLIS)
        .map(
            (rs, ctx) ->
                new Reviewer(
                    rs.getString(1), rs.getLong(2), rs.getLong(3), rs.getLong(4), rs.getLong(5)))
        .list();
  }

  private static List<Reason> reasons(Handle handle) {
    return handle
        .createQuery(
            "select reason_tag, count(*) from standing_decision where reason_tag is not null"
                + " group by 1 order by 2 desc")
        .map((rs, ctx) -> new Reason(ReasonTag.valueOf(rs.getString(1)), rs.getLong(2)))
        .list();
  }
}
