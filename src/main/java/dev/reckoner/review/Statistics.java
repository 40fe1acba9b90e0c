package dev.reckoner.review;

import dev.reckoner.evaluation.Agreement;
import dev.reckoner.evaluation.Interval;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
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

  /** So old may the figures be: longer than a person waits, shorter than they look. */
  private static final Duration RECENT = Duration.ofSeconds(5);

  private static final int GROUPS = 20;

  private final Jdbi jdbi;
  private Figures last;

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
      long reviewed, long disputed, Estimate verdict, Estimate wrongStep, List<Pair> pairs) {

    private Reliability with(long settleable) {
      return new Reliability(reviewed, settleable, verdict, wrongStep, pairs);
    }
  }

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
    return report(counts, viewer, jdbi.withHandle(Statistics::figures));
  }

  /** The same, as of a few seconds ago. */
  Report recentReport(ReviewQueue.Counts counts, String viewer) {
    return report(counts, viewer, recent());
  }

  private Report report(ReviewQueue.Counts counts, String viewer, Figures figures) {
    return new Report(
        counts,
        figures.days(),
        figures.types(),
        figures.adapters(),
        figures.reviewers(),
        figures.reasons(),
        figures.reliability().with(disputed(viewer)));
  }

  /** What does not depend on who asks. */
  private record Figures(
      List<Day> days,
      List<Group> types,
      List<Group> adapters,
      List<Reviewer> reviewers,
      List<Reason> reasons,
      Reliability reliability,
      long at) {}

  /** Whoever comes while the figures are being computed waits for these and computes no others. */
  private synchronized Figures recent() {
    if (last == null || System.nanoTime() - last.at() > RECENT.toNanos()) {
      last = jdbi.withHandle(Statistics::figures);
    }
    return last;
  }

  private static Figures figures(Handle handle) {
    Decided decided = decided(handle);
    return new Figures(
        days(handle, decided.days()),
        most(decided.types()),
        most(decided.adapters()),
        reviewers(handle),
        decided.reasons().values().stream()
            .sorted(Comparator.comparingLong(Group::decided).reversed())
            .map(g -> new Reason(ReasonTag.valueOf(g.name()), g.decided()))
            .toList(),
        reliability(handle),
        System.nanoTime());
  }

  /** Standing decisions by what they are about, by reason and by day. */
  private record Decided(
      Map<String, Group> types,
      Map<String, Group> adapters,
      Map<String, Group> reasons,
      Map<String, Group> days) {}

  /** One reading of the standing decisions for every way to group them. */
  private static Decided decided(Handle handle) {
    Decided decided =
        new Decided(new TreeMap<>(), new TreeMap<>(), new TreeMap<>(), new TreeMap<>());
    handle
        .createQuery(
            """
            with standing as materialized (
              select analysis_id, kind, reason_tag,
                     case when decided_at > now() - :days * interval '1 day'
                          then (decided_at at time zone 'utc')::date end as day
              from standing_decision)
            select grouping(a.event_type, a.adapter_id, s.reason_tag, s.day),
                   coalesce(a.event_type, a.adapter_id, s.reason_tag, s.day::text),
                   count(*) filter (where s.kind = 'approve'),
                   count(*) filter (where s.kind = 'correct'),
                   count(*) filter (where s.kind = 'reject')
            from standing s join analysis a on a.id = s.analysis_id
            group by grouping sets ((a.event_type), (a.adapter_id), (s.reason_tag), (s.day))
            """)
        .bind("days", DAYS)
        .map(
            (rs, ctx) ->
                Map.entry(
                    rs.getInt(1),
                    new Group(
                        rs.getString(2) == null ? "" : rs.getString(2),
                        rs.getLong(3),
                        rs.getLong(4),
                        rs.getLong(5))))
        .forEach(
            row -> {
              // The bit of what a row is grouped by is the one that is not set.
              Map<String, Group> groups =
                  switch (row.getKey()) {
                    case 0b0111 -> decided.types();
                    case 0b1011 -> decided.adapters();
                    case 0b1101 -> decided.reasons();
                    default -> decided.days();
                  };
              if (!row.getValue().name().isEmpty()) {
                groups.put(row.getValue().name(), row.getValue());
              }
            });
    return decided;
  }

  private static List<Group> most(Map<String, Group> groups) {
    return groups.values().stream()
        .sorted(Comparator.comparingLong(Group::decided).reversed())
        .limit(GROUPS)
        .toList();
  }

  private static List<Day> days(Handle handle, Map<String, Group> decided) {
    return handle
        .createQuery(
            """
            select day::date, coalesce(sum(n) filter (where not failing), 0),
                   coalesce(sum(n) filter (where failing), 0)
            from generate_series((now() at time zone 'utc')::date - :last,
                                 (now() at time zone 'utc')::date, interval '1 day') day
            left join (
              select (created_at at time zone 'utc')::date as date, failed_steps > 0 as failing,
                     count(*) as n
              from analysis where created_at > now() - :days * interval '1 day' group by 1, 2
              union all
              select (a.created_at at time zone 'utc')::date, a.failed_steps > 0, -count(*)
              from planted p join analysis a on a.id = p.analysis_id group by 1, 2
            ) analysed on analysed.date = day::date
            group by day order by day
            """)
        .bind("days", DAYS)
        .bind("last", DAYS - 1)
        .map(
            (rs, ctx) -> {
              LocalDate date = rs.getObject(1, LocalDate.class);
              Group of = decided.getOrDefault(date.toString(), new Group("", 0, 0, 0));
              return new Day(
                  date, rs.getLong(2), rs.getLong(3), of.approved(), of.corrected(), of.rejected());
            })
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
  private static Reliability reliability(Handle handle) {
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
    return new Reliability(
        units.size(),
        0,
        alpha(units, Label::kind),
        alpha(units, Label::step),
        pairs.entrySet().stream().map(e -> pair(e.getKey(), e.getValue())).toList());
  }

  /** What somebody can settle as a third person. */
  private long disputed(String viewer) {
    return jdbi.withHandle(
        handle ->
            handle
                .createQuery(
                    """
                    select count(*) from analysis a where a.status = 'pending' and a.disputed
                      and not exists (select 1 from decision d where d.analysis_id = a.id
                                      and d.blind and d.kind <> 'undo' and d.reviewer = :viewer)
                    """)
                .bind("viewer", viewer)
                .mapTo(Long.class)
                .one());
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
}
