package dev.reckoner.teacher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.corpus.Lesson;
import dev.reckoner.corpus.LessonFile;
import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.SyntheticGenerator;
import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.Step;
import dev.reckoner.teacher.ProtocolServer.Call;
import dev.reckoner.teacher.ProtocolServer.Reply;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a real HTTP server that speaks the protocol. */
class TeacherTest {

  private static final String KEY = "sk-of-this-test";

  /** Problems that need a computation, with what a good teacher writes. */
  private static final List<Solved> SOLVED = solved();

  private static final List<Problem> PROBLEMS = SOLVED.stream().map(Solved::problem).toList();
  private static final Map<String, Solved> BY_PAGE = new HashMap<>();

  static {
    SOLVED.forEach(s -> BY_PAGE.put(new PromptFormat().render(s.problem().evidence()), s));
  }

  /** Seconds after which an answer that does not come in time is not there either. */
  private static final double NEVER = 600;

  /** How long such an answer is waited for; enough for one that does come. */
  private static final Duration SHORT = Duration.ofSeconds(3);

  @TempDir Path folder;

  private static List<Solved> solved() {
    SyntheticGenerator generator = new SyntheticGenerator("finance", 5, Split.TRAIN);
    return LongStream.range(0, 200)
        .mapToObj(generator::problem)
        .filter(s -> !s.problem().evidence().stance())
        .filter(s -> s.chain().steps().stream().anyMatch(Step.Compute.class::isInstance))
        .limit(6)
        .toList();
  }

  /** As the prompt asks a teacher to write it. */
  private static String right(Call call) {
    return TeacherPrompt.withoutResults(BY_PAGE.get(call.page()).chain());
  }

  private static Teacher.Endpoint endpoint(String url, int retries) {
    return endpoint(url, retries, Duration.ofMinutes(1));
  }

  private static Teacher.Endpoint endpoint(String url, int retries, Duration patience) {
    return new Teacher.Endpoint(
        url, KEY, "teacher-1", 0.7, 300, patience, retries, Duration.ofMillis(20));
  }

  private static Teacher.Limits limits(int samples, int concurrency) {
    return new Teacher.Limits(samples, 1, concurrency, 1_000, 1_000_000);
  }

  private Teacher.Outcome teach(ProtocolServer server, Teacher.Limits limits, int problems)
      throws Exception {
    return new Teacher(endpoint(server.url(), 3), limits)
        .teach(PROBLEMS.subList(0, problems), folder, done -> {});
  }

  private List<Lesson> lessons() throws Exception {
    return LessonFile.read(folder.resolve("lessons.jsonl"));
  }

  @Test
  void rightChainsBecomeLessonsInTheStudentsOwnFormat() throws Exception {
    try (ProtocolServer server = new ProtocolServer(call -> Reply.text(right(call)))) {
      Teacher.Outcome outcome = teach(server, limits(4, 3), 6);
      assertThat(outcome.kept()).isEqualTo(6);
      assertThat(outcome.finished()).isEqualTo(6);
      assertThat(outcome.requests()).isEqualTo(6);
      assertThat(outcome.tokens()).isEqualTo(6 * 120);
      // Units and results that the teacher left out are there; the lessons are the generator's own.
      assertThat(lessons())
          .extracting(Lesson::user, Lesson::assistant)
          .containsExactlyElementsOf(
              SOLVED.stream()
                  .map(
                      s ->
                          org.assertj.core.groups.Tuple.tuple(
                              new PromptFormat().render(s.problem().evidence()), s.chain().text()))
                  .toList());
      assertThat(lessons()).extracting(Lesson::system).containsOnly(PromptFormat.INSTRUCTION);
      Call call = server.calls().getFirst();
      assertThat(call.authorization()).isEqualTo("Bearer " + KEY);
      assertThat(call.body().path("model").asText()).isEqualTo("teacher-1");
      assertThat(call.body().path("messages").get(0).path("role").asText()).isEqualTo("system");
      assertThat(call.body().path("messages").size()).isGreaterThan(6);
      assertThat(call.body().has("seed")).isTrue();
    }
    try (var files = Files.walk(folder)) {
      assertThat(files.filter(Files::isRegularFile))
          .allSatisfy(file -> assertThat(Files.readString(file)).doesNotContain(KEY));
    }
  }

  @Test
  void everyKindOfBadAnswerIsRejectedByItsReasonAndAskedAgain() throws Exception {
    List<Function<Call, Reply>> bad =
        List.of(
            call -> Reply.text("The answer is 42."),
            call -> Reply.text(""),
            call -> Reply.text("cite a = 1 @ nowhere\nconclude a"),
            // A figure that the page does not have at that place.
            call -> Reply.text(right(call).replaceFirst("cite a = \\S+ @", "cite a = 987654.25 @")),
            // A result that the expression does not come to.
            call -> Reply.text(right(call).replaceFirst("(compute .*)", "$1 = 1.2345")),
            // All true, and not what was asked.
            call -> Reply.text(right(call).lines().findFirst().orElseThrow() + "\nconclude a"),
            call -> Reply.text(right(call).replaceFirst("\\nconclude.*", "")),
            call -> Reply.completion(right(call), "length"));
    Map<String, Integer> asked = new ConcurrentHashMap<>();
    try (ProtocolServer server =
        new ProtocolServer(
            call -> {
              int n = asked.merge(call.page(), 1, Integer::sum) - 1;
              return n < bad.size() ? bad.get(n).apply(call) : Reply.text(right(call));
            })) {
      Teacher.Outcome outcome = teach(server, limits(20, 2), 2);
      assertThat(outcome.rejections())
          .containsEntry("no chain", 2)
          .containsEntry("no text", 2)
          .containsEntry("no chain of the format", 2)
          .containsEntry("a step does not verify: unsupported figure", 2)
          .containsEntry("a step does not verify: wrong arithmetic", 2)
          .containsEntry("another answer than the gold one", 2)
          .containsEntry("no conclusion", 2)
          .containsEntry("longer than allowed", 2)
          .hasSize(8);
      assertThat(outcome.kept()).isEqualTo(2);
      assertThat(outcome.answers()).isEqualTo(18);
      assertThat(lessons()).extracting(Lesson::id).allMatch(id -> id.endsWith("/teacher-8"));
    }
  }

  @Test
  void samplesEndAtTheirLimitAndTheSameChainIsKeptOnce() throws Exception {
    try (ProtocolServer server = new ProtocolServer(call -> Reply.text(right(call)))) {
      Teacher.Outcome outcome = teach(server, new Teacher.Limits(3, 2, 2, 1_000, 1_000_000), 2);
      assertThat(outcome.kept()).isEqualTo(2);
      assertThat(outcome.rejections()).isEqualTo(Map.of("the same chain again", 4));
      assertThat(server.calls()).hasSize(6);
    }
  }

  @Test
  void aRateLimitHoldsEveryRequestBackForTheTimeThatIsAskedFor() throws Exception {
    try (ProtocolServer server =
        new ProtocolServer(
            call ->
                call.number() == 0
                    ? Reply.status(429).with("Retry-After", "2")
                    // One under way meanwhile is slow, so that it asks next after the refusal.
                    : Reply.text(right(call)).after(call.number() == 1 ? 1.5 : 0))) {
      assertThat(teach(server, limits(2, 2), 6).kept()).isEqualTo(6);
      List<Call> calls = server.calls();
      assertThat(calls).hasSize(7);
      long refused = calls.getFirst().nanos();
      // One request may have been on its way already; no other was sent before the pause was over.
      assertThat(calls.stream().skip(2))
          .allSatisfy(
              call -> assertThat((call.nanos() - refused) / 1e9).isGreaterThanOrEqualTo(1.95));
    }
  }

  @Test
  void whatMayPassIsAskedAgain() throws Exception {
    Map<String, Integer> asked = new ConcurrentHashMap<>();
    try (ProtocolServer server =
        new ProtocolServer(
            call ->
                switch (asked.merge(call.page(), 1, Integer::sum)) {
                  case 1 -> Reply.status(503);
                  case 2 -> new Reply(200, "<html>busy</html>", Map.of(), 0);
                  case 3 -> Reply.text(right(call)).after(NEVER);
                  default -> Reply.text(right(call));
                })) {
      Teacher.Outcome outcome =
          new Teacher(endpoint(server.url(), 3, SHORT), limits(1, 2))
              .teach(PROBLEMS.subList(0, 2), folder, done -> {});
      assertThat(outcome.kept()).isEqualTo(2);
      assertThat(outcome.requests()).isEqualTo(8);
      assertThat(outcome.rejections()).isEmpty();
    }
  }

  @Test
  void aQuestionThatIsNeverAnsweredIsGivenUpAndTheOthersGoOn() throws Exception {
    String slow = new PromptFormat().render(PROBLEMS.get(1).evidence());
    try (ProtocolServer server =
        new ProtocolServer(
            call ->
                call.page().equals(slow)
                    ? Reply.text("late").after(NEVER)
                    : Reply.text(right(call)))) {
      Teacher.Outcome outcome =
          new Teacher(endpoint(server.url(), 1, SHORT), limits(1, 1))
              .teach(PROBLEMS.subList(0, 3), folder, done -> {});
      assertThat(outcome.kept()).isEqualTo(2);
      assertThat(outcome.rejections()).isEqualTo(Map.of("no answer in time", 1));
    }
  }

  @Test
  void whatCannotPassEndsTheRunWithASentenceAndKeepsWhatIsThere() throws Exception {
    try (ProtocolServer server =
        new ProtocolServer(
            call -> call.number() < 2 ? Reply.text(right(call)) : Reply.status(401))) {
      assertThatThrownBy(() -> teach(server, limits(1, 1), 6))
          .isInstanceOf(TeacherException.class)
          .hasMessageContaining("does not accept the API key")
          .hasMessageContaining(Teacher.KEY_VARIABLE)
          .hasMessageNotContaining(KEY);
      assertThat(lessons()).hasSize(2);
      assertThat(server.calls()).hasSize(3);
    }
    try (ProtocolServer server = new ProtocolServer(call -> Reply.text(right(call)))) {
      assertThat(teach(server, limits(1, 1), 6).kept()).isEqualTo(6);
      assertThat(server.calls()).hasSize(4);
    }
  }

  @Test
  void anEndpointThatFailsOrIsNotThereIsTold() throws Exception {
    try (ProtocolServer server = new ProtocolServer(call -> Reply.status(500))) {
      assertThatThrownBy(() -> teach(server, limits(1, 1), 2))
          .isInstanceOf(TeacherException.class)
          .hasMessageContaining("no answer after 4 requests: status 500");
    }
    try (ProtocolServer server = new ProtocolServer(call -> Reply.status(404))) {
      assertThatThrownBy(() -> teach(server, limits(1, 1), 2))
          .isInstanceOf(TeacherException.class)
          .hasMessageContaining("has no model teacher-1");
    }
    try (ProtocolServer server =
        new ProtocolServer(call -> Reply.status(429).with("Retry-After", "86400"))) {
      assertThatThrownBy(() -> teach(server, limits(1, 1), 2))
          .isInstanceOf(TeacherException.class)
          .hasMessageContaining("asks to wait 86400 s");
      assertThat(server.calls()).hasSize(1);
    }
    int free;
    try (ServerSocket socket = new ServerSocket(0)) {
      free = socket.getLocalPort();
    }
    assertThatThrownBy(
            () ->
                new Teacher(endpoint("http://127.0.0.1:" + free + "/v1", 1), limits(1, 1))
                    .teach(PROBLEMS, folder, done -> {}))
        .isInstanceOf(TeacherException.class)
        .hasMessageContaining("nobody listens there");
  }

  @Test
  void aSpentBudgetEndsTheRunAndALargerOneGoesOnWhereItEnded() throws Exception {
    try (ProtocolServer server = new ProtocolServer(call -> Reply.text(right(call)))) {
      Teacher.Outcome first = teach(server, new Teacher.Limits(2, 1, 1, 2, 1_000_000), 6);
      assertThat(first.budgetSpent()).isTrue();
      assertThat(first.kept()).isEqualTo(2);
      Teacher.Outcome tokens = teach(server, new Teacher.Limits(2, 1, 1, 1_000, 360), 6);
      assertThat(tokens.budgetSpent()).isTrue();
      assertThat(tokens.kept()).isEqualTo(3);
      Teacher.Outcome rest = teach(server, limits(2, 3), 6);
      assertThat(rest.budgetSpent()).isFalse();
      assertThat(rest.kept()).isEqualTo(6);
      assertThat(rest.requests()).isEqualTo(6);
      assertThat(server.calls()).hasSize(6);
      assertThat(server.calls().stream().map(Call::page)).doesNotHaveDuplicates();
    }
  }

  @Test
  void aLineThatACrashCutOffIsAskedAgainAndNothingElse() throws Exception {
    try (ProtocolServer server = new ProtocolServer(call -> Reply.text(right(call)))) {
      teach(server, limits(1, 1), 3);
      Path journal = folder.resolve("journal.jsonl");
      byte[] whole = Files.readAllBytes(journal);
      Files.write(journal, java.util.Arrays.copyOf(whole, whole.length - 40));
      assertThat(teach(server, limits(1, 1), 3).kept()).isEqualTo(3);
      assertThat(server.calls()).hasSize(4);
      assertThat(Files.readString(journal).lines()).hasSize(4);
      assertThat(lessons()).hasSize(3);
    }
  }

  @Test
  void anotherWayToAskNeedsAnotherFolder() throws Exception {
    try (ProtocolServer server = new ProtocolServer(call -> Reply.text(right(call)))) {
      teach(server, limits(1, 1), 2);
      Teacher other =
          new Teacher(
              new Teacher.Endpoint(
                  server.url(),
                  null,
                  "teacher-2",
                  0.7,
                  300,
                  Duration.ofSeconds(1),
                  1,
                  Duration.ZERO),
              limits(1, 1));
      assertThatThrownBy(() -> other.teach(PROBLEMS, folder, done -> {}))
          .isInstanceOf(TeacherException.class)
          .hasMessageContaining("name another --out");
      assertThatThrownBy(() -> teach(server, limits(1, 1), 1))
          .isInstanceOf(TeacherException.class)
          .hasMessageContaining("not among the problems");
    }
  }

  @Test
  void aKeyNeverCrossesTheNetworkInTheClear() {
    assertThatThrownBy(() -> endpoint("http://192.0.2.1/v1", 1))
        .isInstanceOf(TeacherException.class)
        .hasMessageContaining("use https");
    assertThatThrownBy(() -> endpoint("api.example.com", 1))
        .isInstanceOf(TeacherException.class)
        .hasMessageContaining("is no address");
    assertThat(endpoint("https://192.0.2.1/v1", 1).toString()).doesNotContain(KEY);
  }

  @Test
  void aRefusalMayNameItsPauseInSecondsOrAsADate() {
    assertThat(RefusalAwareClient.wait("7")).contains(Duration.ofSeconds(7));
    assertThat(RefusalAwareClient.wait("Wed, 21 Oct 2015 07:28:00 GMT")).contains(Duration.ZERO);
    assertThat(RefusalAwareClient.wait("soon")).isEmpty();
  }
}
