package dev.reckoner.review;

import io.quarkus.qute.CheckedTemplate;
import io.quarkus.qute.TemplateInstance;
import io.quarkus.security.identity.SecurityIdentity;
import io.smallrye.common.annotation.Blocking;
import jakarta.annotation.security.RolesAllowed;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** How the reviewing goes, as a page. */
@Path("/dashboard")
@Blocking
@Produces(MediaType.TEXT_HTML)
@RolesAllowed("viewer")
public class DashboardPageResource {

  private final Statistics statistics;
  private final ReviewQueue queue;
  private final SecurityIdentity identity;

  DashboardPageResource(Statistics statistics, ReviewQueue queue, SecurityIdentity identity) {
    this.statistics = statistics;
    this.queue = queue;
    this.identity = identity;
  }

  /** One day of a chart: a value for each part, from the bottom up. */
  record Bar(String day, List<Long> values) {}

  /** A part that every day has. */
  record Part(String kind, String name) {}

  private static final List<Part> ANALYSED =
      List.of(new Part("verified", "verified"), new Part("failing", "with a failed step"));

  private static final List<Part> DECIDED =
      List.of(
          new Part("approved", "approved"),
          new Part("corrected", "corrected"),
          new Part("rejected", "rejected"));

  @CheckedTemplate(basePath = "")
  static class Templates {
    static native TemplateInstance dashboard(
        Shell shell,
        Statistics.Report report,
        List<Bar> analysed,
        List<Part> analysedParts,
        List<Bar> decided,
        List<Part> decidedParts,
        List<ReviewerView> reviewers,
        ReliabilityView reliability);
  }

  /** A reviewer with the time in words. */
  record ReviewerView(
      String name,
      long decisions,
      long undone,
      String median,
      long hasty,
      String missed,
      String missRate,
      boolean trusted) {}

  /** A figure of agreement in words. */
  record PairView(String names, long both, long agreed, String kappa) {}

  /** How far people agree, in words. */
  record ReliabilityView(
      long reviewed, long disputed, String verdict, String wrongStep, List<PairView> pairs) {}

  @GET
  public TemplateInstance dashboard() {
    String viewer = identity.getPrincipal().getName();
    ReviewQueue.Counts counts = queue.recentCounts(viewer);
    Statistics.Report report = statistics.recentReport(counts, viewer);
    return Templates.dashboard(
        Shell.of("dashboard", identity, counts),
        report,
        bars(report.days(), d -> List.of(d.verified(), d.failing())),
        ANALYSED,
        bars(report.days(), d -> List.of(d.approved(), d.corrected(), d.rejected())),
        DECIDED,
        report.reviewers().stream()
            .map(
                r ->
                    new ReviewerView(
                        r.name(),
                        r.decisions(),
                        r.undone(),
                        seconds(r.medianMillis()),
                        r.hasty(),
                        r.planted() == 0 ? "–" : r.missed() + " of " + r.planted(),
                        r.planted() == 0 ? "" : percent(r.missRate()),
                        r.trusted()))
            .toList(),
        reliability(report.reliability()));
  }

  private static ReliabilityView reliability(Statistics.Reliability r) {
    return new ReliabilityView(
        r.reviewed(),
        r.disputed(),
        decimal(r.verdict()),
        decimal(r.wrongStep()),
        r.pairs().stream()
            .map(
                p ->
                    new PairView(
                        p.first() + ", " + p.second(), p.both(), p.agreed(), decimal(p.kappa())))
            .toList());
  }

  private static String percent(Statistics.Estimate e) {
    return String.format(
        Locale.ROOT, "%.0f %% (%.0f–%.0f)", 100 * e.value(), 100 * e.low(), 100 * e.high());
  }

  private static String decimal(Statistics.Estimate e) {
    String value = decimal(e.value());
    return e.low() == null
        ? value
        : value + String.format(Locale.ROOT, " (%.2f to %.2f)", e.low(), e.high());
  }

  private static String decimal(Double value) {
    return value == null ? "–" : String.format(Locale.ROOT, "%.2f", value);
  }

  private static List<Bar> bars(
      List<Statistics.Day> days, Function<Statistics.Day, List<Long>> values) {
    DateTimeFormatter format = DateTimeFormatter.ofPattern("d MMM", Locale.ENGLISH);
    return days.stream().map(d -> new Bar(d.date().format(format), values.apply(d))).toList();
  }

  private static String seconds(long millis) {
    return millis < 60_000
        ? String.format(Locale.ROOT, "%.1f s", millis / 1000.0)
        : String.format(Locale.ROOT, "%d min %d s", millis / 60_000, millis / 1000 % 60);
  }
}
