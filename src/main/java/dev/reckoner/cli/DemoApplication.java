package dev.reckoner.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.events.EventPublisher;
import dev.reckoner.events.Origin;
import dev.reckoner.events.OutgoingEvent;
import dev.reckoner.events.Tallies;
import dev.reckoner.events.Tally;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.ExecutionException;

/** What the demo does once everything runs: publish, watch, report, serve. */
final class DemoApplication implements QuarkusApplication {

  private static final Duration POLL = Duration.ofMillis(500);

  private final EventPublisher publisher;
  private final Tallies tallies;
  private final Welcome welcome;
  private final ObjectMapper json;

  DemoApplication(EventPublisher publisher, Tallies tallies, Welcome welcome, ObjectMapper json) {
    this.publisher = publisher;
    this.tallies = tallies;
    this.welcome = welcome;
    this.json = json;
  }

  @Override
  public int run(String... args) throws InterruptedException, IOException {
    DemoCommand demo = Main.options(args, DemoCommand.class);
    List<OutgoingEvent> events = demo.events();
    if (!demo.untilDrained) {
      welcome.print(System.out);
    }
    Instant begin = Instant.now();
    Tally tally;
    try (Progress progress = new Progress(System.err, demo.headless)) {
      List<Origin> published = publish(events, progress);
      tally = drain(published, begin, demo.timeout, progress);
    }
    if (demo.report != null) {
      write(demo.report, tally, Duration.between(begin, Instant.now()));
    }
    System.err.printf(
        "  %d analysed, %d dead-lettered, %d duplicates; %d steps verified, %d failed%n",
        tally.analyzed(),
        tally.deadLettered(),
        tally.duplicates(),
        tally.verifiedSteps(),
        tally.failedSteps());
    if (!demo.untilDrained) {
      Quarkus.waitForExit();
    }
    return 0;
  }

  private List<Origin> publish(List<OutgoingEvent> events, Progress progress)
      throws InterruptedException {
    progress.phase("publishing", events.size());
    try {
      return publisher.publish(events, progress::at);
    } catch (ExecutionException e) {
      throw new UserException("an event could not be published: " + e.getCause().getMessage(), e);
    }
  }

  private Tally drain(List<Origin> published, Instant begin, Duration timeout, Progress progress)
      throws InterruptedException {
    progress.phase("analysing", published.size());
    while (true) {
      Tally tally = tallies.count(published);
      progress.at(tally.settled());
      if (tally.drained()) {
        return tally;
      }
      if (timeout != null && Duration.between(begin, Instant.now()).compareTo(timeout) > 0) {
        throw new UserException(
            "after %s %d of %d events are settled; what is left is kept for the next start"
                .formatted(timeout, tally.settled(), tally.published()));
      }
      Thread.sleep(POLL);
    }
  }

  private void write(Path file, Tally tally, Duration took) throws IOException {
    ObjectNode report = json.createObjectNode();
    report.put("published", tally.published());
    report.put("analyzed", tally.analyzed());
    report.put("deadLettered", tally.deadLettered());
    report.put("duplicates", tally.duplicates());
    report.put("verifiedSteps", tally.verifiedSteps());
    report.put("failedSteps", tally.failedSteps());
    report.put("seconds", took.toMillis() / 1000.0);
    Files.writeString(file, json.writeValueAsString(report) + "\n");
  }
}
