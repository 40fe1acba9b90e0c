package dev.reckoner.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class MainTest {

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @TempDir Path directory;

  @Test
  void everyCommandExplainsItself() {
    CommandLine main = Main.commandLine();
    for (Map.Entry<String, CommandLine> command : main.getSubcommands().entrySet()) {
      StringWriter help = new StringWriter();
      int code =
          Main.commandLine().setOut(new PrintWriter(help)).execute(command.getKey(), "--help");
      assertThat(code).as(command.getKey()).isZero();
      assertThat(help.toString())
          .as(command.getKey())
          .startsWith("Usage: reckoner " + command.getKey());
    }
    assertThat(main.getSubcommands()).containsKeys("demo", "start", "analyze", "doctor");
  }

  /** One that no mapping knows stops the service. */
  @Test
  void theLauncherPassesKnownSettings() throws IOException {
    String launcher = Files.readString(Path.of("reckoner"));
    String service = launcher.substring(launcher.lastIndexOf("exec "));
    List<String> passed =
        Pattern.compile("-D(reckoner\\.[a-z.-]+)=")
            .matcher(service)
            .results()
            .map(m -> m.group(1))
            .toList();
    assertThat(passed).isNotEmpty();
    String known = Files.readString(Path.of("README.md"));
    assertThat(passed).allSatisfy(name -> assertThat(known).contains("| `" + name + "` |"));
  }

  @Test
  void wrongUsageIsCodeTwo() {
    assertThat(execute("demo", "--no-such-option")).isEqualTo(2);
    assertThat(execute("demo", "--limit", "0")).isEqualTo(2);
    assertThat(execute("demo", "--timeout", "soon")).isEqualTo(2);
    for (String option : List.of("--prompt", "--iterations", "--sequences", "--batch")) {
      assertThat(execute("bench", "inference", option, "0")).as(option).isEqualTo(2);
      assertThat(err.toString()).contains(option + " must be at least 1");
    }
    assertThat(execute()).isEqualTo(2);
  }

  @Test
  void aFailureIsOneLineAndCodeOne() {
    String missing = directory.resolve("none.jsonl").toString();
    assertThat(execute("demo", "--headless", "--events", missing)).isEqualTo(1);
    assertThat(err.toString()).isEqualTo("reckoner: there is no file " + missing + "\n");
  }

  @Test
  void theApplicationReadsTheOptionsOfItsCommand() {
    String[] args = {
      "demo", "--headless", "--limit", "5", "--until-drained", "--timeout", "1h30m", "--port", "9"
    };
    DemoCommand demo = Main.options(args, DemoCommand.class);
    assertThat(demo.limit).isEqualTo(5);
    assertThat(demo.untilDrained).isTrue();
    assertThat(demo.timeout).isEqualTo(Duration.ofMinutes(90));
    assertThat(demo.server.port).isEqualTo(9);
    assertThat(demo.events()).hasSize(5);
  }

  private int execute(String... args) {
    return Main.commandLine()
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .execute(args);
  }
}
