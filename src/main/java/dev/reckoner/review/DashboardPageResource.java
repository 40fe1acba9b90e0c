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
import java.util.function.ToLongFunction;

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

  /**
   * A stacked bar chart in a box of 560 by 160.
   *
   * @param top the largest sum of a day
   */
  record Chart(List<Bar> bars, long top) {}

  /** One day: parts from the bottom up. */
  record Bar(String label, String title, double x, List<Part> parts) {}

  /** A part of a bar with its place in the chart. */
  record Part(String kind, double y, double height) {}

  @CheckedTemplate(basePath = "")
  static class Templates {
    static native TemplateInstance dashboard(
        Shell shell,
        Statistics.Report report,
        Chart analysed,
        Chart decided,
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
    ReviewQueue.Counts counts = queue.counts();
    Statistics.Report report = statistics.report(counts);
    return Templates.dashboard(
        Shell.of("dashboard", identity, counts),
        report,
        chart(
            report.days(),
            List.of("verified", "failing"),
            List.of(Statistics.Day::verified, Statistics.Day::failing)),
        chart(
            report.days(),
            List.of("approved", "corrected", "rejected"),
            List.of(Statistics.Day::approved, Statistics.Day::corrected, Statistics.Day::rejected)),
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

  private static Chart chart(
      List<Statistics.Day> days, List<String> kinds, List<ToLongFunction<Statistics.Day>> parts) {
    long top =
        days.stream()
            .mapToLong(d -> parts.stream().mapToLong(p -> p.applyAsLong(d)).sum())
            .max()
            .orElse(0);
    double width = 560.0 / days.size();
    List<Bar> bars = new java.util.ArrayList<>();
    for (int i = 0; i < days.size(); i++) {
      Statistics.Day day = days.get(i);
      List<Part> drawn = new java.util.ArrayList<>();
      StringBuilder title =
          new StringBuilder(
              day.date().format(DateTimeFormatter.ofPattern("d MMM", Locale.ENGLISH)));
      double y = 160;
      for (int k = 0; k < kinds.size(); k++) {
        long value = parts.get(k).applyAsLong(day);
        double height = top == 0 ? 0 : 150.0 * value / top;
        y -= height;
        drawn.add(new Part(kinds.get(k), y, height));
        title.append(k == 0 ? ": " : ", ").append(value).append(' ').append(kinds.get(k));
      }
      bars.add(
          new Bar(
              Integer.toString(day.date().getDayOfMonth()), title.toString(), i * width, drawn));
    }
    return new Chart(bars, top);
  }

  private static String seconds(long millis) {
    return millis < 60_000
        ? String.format(Locale.ROOT, "%.1f s", millis / 1000.0)
        : String.format(Locale.ROOT, "%d min %d s", millis / 60_000, millis / 1000 % 60);
  }
}
