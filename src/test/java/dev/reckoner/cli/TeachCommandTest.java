package dev.reckoner.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.corpus.Lesson;
import dev.reckoner.corpus.LessonFile;
import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.SyntheticGenerator;
import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.evaluation.SuiteFile;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.teacher.ProtocolServer;
import dev.reckoner.teacher.ProtocolServer.Reply;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class TeachCommandTest {

  @TempDir Path folder;

  private final StringWriter err = new StringWriter();

  private int run(String... args) {
    CommandLine line = Main.commandLine().setErr(new PrintWriter(err, true));
    return line.execute(args);
  }

  @Test
  void problemsOfAFileBecomeLessonsAndHeldOutOnesAreNeverAsked() throws Exception {
    SyntheticGenerator generator = new SyntheticGenerator("finance", 9, Split.TRAIN);
    List<Solved> solved = LongStream.range(0, 8).mapToObj(generator::problem).toList();
    List<Problem> problems = solved.stream().map(Solved::problem).toList();
    Path data = folder.resolve("problems.jsonl");
    SuiteFile.write(data, problems);
    Path suites = Files.createDirectories(folder.resolve("suites"));
    SuiteFile.write(suites.resolve("held.jsonl"), problems.subList(0, 3));
    Map<String, Solved> byPage =
        solved.stream()
            .collect(
                Collectors.toMap(
                    s -> new PromptFormat().render(s.problem().evidence()), Function.identity()));
    Path out = folder.resolve("out");
    try (ProtocolServer server =
        new ProtocolServer(call -> Reply.text(byPage.get(call.page()).chain().text()))) {
      assertThat(
              run(
                  "corpus",
                  "teach",
                  "--url",
                  server.url(),
                  "--model",
                  "teacher-1",
                  "--data",
                  data.toString(),
                  "--held-out",
                  suites.toString(),
                  "--out",
                  out.toString()))
          .as(err.toString())
          .isZero();
      assertThat(server.calls()).hasSize(5);
    }
    assertThat(LessonFile.read(out.resolve("lessons.jsonl")))
        .extracting(Lesson::assistant)
        .containsExactlyElementsOf(
            solved.subList(3, 8).stream().map(s -> s.chain().text()).toList());
    assertThat(Files.readString(out.resolve("CARD.md")))
        .contains("| answers of the teacher | kept | 5 |")
        .contains("3 problems left out");
  }

  @Test
  void badInputIsOneSentence() throws Exception {
    assertThat(run("corpus")).isEqualTo(CommandLine.ExitCode.USAGE);
    assertThat(err.toString()).contains("--out");
    err.getBuffer().setLength(0);
    Path out = folder.resolve("none");
    assertThat(
            run(
                "corpus",
                "teach",
                "--url",
                "not an address",
                "--model",
                "m",
                "--data",
                "missing",
                "--out",
                out.toString()))
        .isEqualTo(CommandLine.ExitCode.SOFTWARE);
    assertThat(err.toString().lines()).hasSize(1).first().asString().contains("is no address");
    assertThat(out).doesNotExist();
  }
}
