package dev.reckoner.cli;

import dev.reckoner.events.OutgoingEvent;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Everything at once, on sample events or one's own. */
@Command(
    name = "demo",
    mixinStandardHelpOptions = true,
    description = "Starts everything, publishes sample events, analyses them and serves the page.")
final class DemoCommand implements Callable<Integer> {

  private static final String SAMPLES = "/packs/finance/samples.jsonl";

  @Mixin ServerOptions server = new ServerOptions();

  @Option(names = "--headless", description = "No page, no bars: plain lines.")
  boolean headless;

  @Option(
      names = "--events",
      paramLabel = "FILE",
      description =
          "Events to publish instead of the samples: CloudEvents as JSON Lines, or a FinQA, TAT-QA"
              + " or ConvFinQA file; plain or gzip. May be repeated.")
  List<Path> files = List.of();

  @Option(names = "--limit", paramLabel = "N", description = "Publish the first N events only.")
  int limit = Integer.MAX_VALUE;

  @Option(names = "--until-drained", description = "End when every event is settled.")
  boolean untilDrained;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description = "Write what became of the events as JSON when all are settled.")
  Path report;

  @Option(
      names = "--timeout",
      paramLabel = "DURATION",
      converter = DurationConverter.class,
      description =
          "Fail if the events are not settled by then, for example 90s, 30m (default: none).")
  Duration timeout;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Usage.positive(spec, "--limit", limit);
    events(); // a file that can not be read is told before anything starts
    try (Progress progress = new Progress(System.err, headless)) {
      return new ServerProcess(server, progress, settings())
          .run(
              "reckoner demo",
              DemoApplication.class,
              spec.commandLine()
                  .getParent()
                  .getParseResult()
                  .originalArgs()
                  .toArray(String[]::new));
    }
  }

  private Map<String, String> settings() {
    Map<String, String> settings = new HashMap<>(LogSettings.quiet());
    if (headless && server.port == null) {
      settings.put("quarkus.http.host-enabled", "false");
    }
    return settings;
  }

  /** What to publish. */
  List<OutgoingEvent> events() {
    if (files.isEmpty()) {
      try (InputStream in = DemoCommand.class.getResourceAsStream(SAMPLES)) {
        return EventFile.read(in, limit);
      } catch (IOException e) {
        throw new UserException("the sample events can not be read: " + e.getMessage(), e);
      }
    }
    List<OutgoingEvent> events = new ArrayList<>();
    for (Path file : files) {
      events.addAll(EventFile.read(file, limit - events.size()));
    }
    return events;
  }
}
