package dev.reckoner.review;

import dev.reckoner.evaluation.Agreement;
import dev.reckoner.evaluation.Interval;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Function;
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
   * @param planted planted errors they met
   * @param missed how many of those they approved
   * @param hastyMissed how many of those in under two seconds
   * @param missRate the share they missed
   * @param trusted whether their decisions feed training
   */
  public record Reviewer(
      String name,
      long decisions,
      long undone,
      long medianMillis,
      long hasty,
      long planted,
      long missed,
      long hastyMissed,
      Estimate missRate,
      boolean trusted) {}

  /**
   * A figure with its 95% interval; what could not be measured is {@code null}.
   *
   * @param n out of how many
   */
  public record Estimate(Double value, Double low, Double high, long n) {

    static Estimate of(Interval interval, long n) {
      return new Estimate(
          defined(interval.estimate()), defined(interval.low()), defined(interval.high()), n);
    }

    private static Double defined(double value) {
      return Double.isNaN(value) ? null : Double.valueOf(value);
    }
  }

  /**
   * Two people over the analyses that both reviewed blind.
   *
   * @param agreed how often they gave the same verdict
   * @param kappa Cohen's κ of approve, correct, reject; {@code null} where it is not defined
   */
  public record Pair(String first, String second, long both, long agreed, Double kappa) {}

  /**
   * How far people agree who reviewed the same analyses blind.
   *
   * @param reviewed how many analyses have two opinions and are decided: before, the figures would
   *     tell the first person what the second one said
   * @param disputed how many the person who asks can settle as a third
   * @param verdict Krippendorff's α of approve, correct, reject
   * @param wrongStep Krippendorff's α of the first wrong step, none included
   */
  public record Reliability(
      long reviewed, long disputed, Estimate verdict, Estimate wrongStep, List<Pair> pairs) {}

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
      List<Reason> reasons,
      Reliability reliability) {}

  /**
   * As of now.
   *
   * @param viewer who asks
   */
  public Report report(ReviewQueue.Counts counts, String viewer) {
    return jdbi.withHandle(
        handle ->
            new Report(
                counts,
                days(handle),
                groups(handle, "event_type"),
                groups(handle, "adapter_id"),
                reviewers(handle),
                reasons(handle),
                reliability(handle, viewer)));
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
              from analysis a where created_at > now() - :days * interval '1 day'
                and not exists (select 1 from planted p where p.analysis_id = a.id) group by 1),
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
            select d.*, coalesce(v.planted, 0), coalesce(v.missed, 0), coalesce(v.hasty_missed, 0),
                   not coalesce(v.planted >= p.planted_minimum
                                and v.missed > p.max_miss_rate * v.planted, false)
            from (select d.reviewer, count(*) as decisions,
                         count(*) filter (where exists (select 1 from decision u where u.undoes = d.id)),
                         percentile_cont(0.5) within group (order by d.dwell_millis)::bigint,
                         count(*) filter (where d.dwell_millis < :hasty)
                  from decision d where d.kind <> 'undo' group by 1) d
            left join reviewer_vigilance v on v.reviewer = d.reviewer
            cross join review_policy p
            order by d.decisions desc limit 50
            """)
        .bind("hasty", HASTY_MILLIS)
        .map(
            (rs, ctx) ->
                new Reviewer(
                    rs.getString(1),
                    rs.getLong(2),
                    rs.getLong(3),
                    rs.getLong(4),
                    rs.getLong(5),
                    rs.getLong(6),
                    rs.getLong(7),
                    rs.getLong(8),
                    Estimate.of(Agreement.share(rs.getLong(7), rs.getLong(6)), rs.getLong(6)),
                    rs.getBoolean(9)))
        .list();
  }

  /** What one person said about one analysis, without sight of the other. */
  private record Label(UUID analysis, String reviewer, String kind, String step) {}

  /**
   * The two opinions of each analysis that was reviewed blind. The second is a decision where it
   * agreed; a third person's settles and is no opinion.
   */
  private static Reliability reliability(Handle handle, String viewer) {
    Map<UUID, List<Label>> byAnalysis = new LinkedHashMap<>();
    handle
        .createQuery(
            """
            select d.analysis_id, d.reviewer, d.kind, coalesce(d.first_wrong_step::text, 'none')
            from decision d
            where d.kind <> 'undo' and not exists (select 1 from decision u where u.undoes = d.id)
              and d.analysis_id in (
                select b.analysis_id from decision b join analysis a on a.id = b.analysis_id
                where b.blind and a.status <> 'pending')
            order by d.analysis_id, d.blind desc, d.decided_at
            """)
        .map(
            (rs, ctx) ->
                new Label(
                    rs.getObject(1, UUID.class), rs.getString(2), rs.getString(3), rs.getString(4)))
        .forEach(l -> byAnalysis.computeIfAbsent(l.analysis(), id -> new ArrayList<>()).add(l));
    List<List<Label>> units =
        byAnalysis.values().stream().filter(l -> l.size() > 1).map(l -> l.subList(0, 2)).toList();
    Map<List<String>, List<List<Label>>> pairs =
        new TreeMap<>(Comparator.comparing(List::toString));
    for (List<Label> unit : units) {
      List<Label> sorted = unit.stream().sorted(Comparator.comparing(Label::reviewer)).toList();
      pairs
          .computeIfAbsent(
              sorted.stream().map(Label::reviewer).toList(), names -> new ArrayList<>())
          .add(sorted);
    }
    long disputed =
        handle
            .createQuery(
                """
                select count(*) from analysis a where a.status = 'pending' and a.disputed
                  and not exists (select 1 from decision d where d.analysis_id = a.id and d.blind
                                  and d.kind <> 'undo' and d.reviewer = :viewer)
                """)
            .bind("viewer", viewer)
            .mapTo(Long.class)
            .one();
    return new Reliability(
        units.size(),
        disputed,
        alpha(units, Label::kind),
        alpha(units, Label::step),
        pairs.entrySet().stream().map(e -> pair(e.getKey(), e.getValue())).toList());
  }

  private static Estimate alpha(List<List<Label>> units, Function<Label, String> category) {
    return Estimate.of(
        Agreement.alpha(units.stream().map(u -> u.stream().map(category).toList()).toList()),
        units.size());
  }

  private static Pair pair(List<String> names, List<List<Label>> units) {
    List<String> first = units.stream().map(u -> u.getFirst().kind()).toList();
    List<String> second = units.stream().map(u -> u.getLast().kind()).toList();
    long agreed =
        units.stream().filter(u -> u.getFirst().kind().equals(u.getLast().kind())).count();
    return new Pair(
        names.getFirst(),
        names.getLast(),
        units.size(),
        agreed,
        Estimate.defined(Agreement.cohenKappa(first, second)));
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
