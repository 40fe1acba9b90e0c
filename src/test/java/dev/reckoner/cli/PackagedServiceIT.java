package dev.reckoner.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.CookieManager;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * The package as a user starts it: through the launcher, on the flags and settings that the
 * launcher passes, from the jars that the build made. No test harness of Quarkus stands between.
 */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "the launcher is a shell script")
class PackagedServiceIT {

  private static final Path LAUNCHER = Path.of("reckoner").toAbsolutePath();
  private static final Path PACKAGE = Path.of("target/quarkus-app/quarkus-run.jar");
  private static final Pattern LOGIN = Pattern.compile("Sign in as (\\S+) with (\\S+) ");
  private static final Duration PATIENCE = Duration.ofMinutes(5);
  private static final int SIGTERM = 15;
  private static final int MOST_LINES = 200;

  @TempDir Path directory;

  private final ObjectMapper json = new ObjectMapper();
  private final HttpClient http =
      HttpClient.newBuilder()
          .cookieHandler(new CookieManager())
          .followRedirects(HttpClient.Redirect.NORMAL)
          .connectTimeout(PATIENCE)
          .build();
  private String base;
  private Process process;
  private List<ProcessHandle> all = List.of();

  @BeforeEach
  void isPackaged() throws IOException {
    assumeThat(PACKAGE).as("the package, which `./mvnw package` makes").exists();
    // The launcher would build anew, in the middle of this build.
    FileTime made = Files.getLastModifiedTime(PACKAGE);
    try (Stream<Path> sources = Files.walk(Path.of("src/main"))) {
      assertThat(Stream.concat(sources, Stream.of(Path.of("pom.xml"))))
          .as("sources that changed since the package was made")
          .noneMatch(source -> modified(source).compareTo(made) > 0);
    }
  }

  @AfterEach
  void leaveNothing() {
    all.forEach(ProcessHandle::destroyForcibly);
  }

  @Test
  void theDemoServesItsPageAnalysesAnEventAndStopsWithoutATrace() throws Exception {
    int port = freePort();
    base = "http://localhost:" + port;
    start("demo", "--limit", "1", "--port", "" + port, "--data-dir", data().toString());
    try {
      Matcher login = LOGIN.matcher("");
      await().atMost(PATIENCE).until(() -> ended() || login.reset(read("out")).find());
      assertThat(process.isAlive()).as("the service came up").isTrue();
      assertThat(get("/q/health/ready").statusCode()).isEqualTo(200);

      String user = login.group(1);
      String password = login.group(2);
      await()
          .atMost(PATIENCE)
          .pollInterval(Duration.ofMillis(500))
          .until(() -> ended() || analyses(user, password).size() == 1);
      JsonNode analysis = analyses(user, password).get(0);
      assertThat(analysis.path("verifiedSteps").asInt()).isPositive();
      assertThat(analysis.path("answer").asText()).isNotBlank();

      assertThat(get("/").uri().getPath()).isEqualTo("/login");
      HttpResponse<String> queue = signIn(user, password);
      assertThat(queue.uri().getPath()).isEqualTo("/");
      assertThat(queue.body())
          .contains("Review queue", "/chains/" + analysis.path("id").asText())
          .contains("<script");

      Path database = data().resolve("postgres/cluster/postmaster.pid");
      long postmaster = Long.parseLong(Files.readAllLines(database).getFirst().strip());
      all =
          Stream.of(process.toHandle(), ProcessHandle.of(postmaster).orElseThrow())
              .flatMap(parent -> Stream.concat(Stream.of(parent), parent.descendants()))
              .distinct()
              .toList();
      assertThat(all)
          .as("the service and its database")
          .filteredOn(this::runs)
          .hasSizeGreaterThan(1);
      process.destroy();
      assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).isEqualTo(128 + SIGTERM);
      assertThat(read("out") + read("err"))
          .as("what it says while it stops")
          .doesNotContain("can not be read", "Exception");
      assertThat(all).as("processes left behind").noneMatch(this::runs);
      for (String service : List.of("kafka", "postgres")) {
        assertThat(listens(Integer.parseInt(read("data/" + service + "/port").strip())))
            .as(service + " still listens")
            .isFalse();
      }
      assertThat(database).doesNotExist();
    } catch (AssertionError | Exception e) {
      throw new AssertionError(e.getMessage() + "\n" + said(), e);
    }
  }

  /** Runs the launcher with nothing configured but what the machine itself needs. */
  private void start(String... arguments) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
                Stream.concat(Stream.of(LAUNCHER.toString()), Stream.of(arguments)).toList())
            .directory(directory.toFile())
            .redirectOutput(directory.resolve("out").toFile())
            .redirectError(directory.resolve("err").toFile());
    Map<String, String> environment = builder.environment();
    environment
        .keySet()
        .removeIf(
            name -> name.matches("(RECKONER|QUARKUS|KAFKA|MP|SMALLRYE)_.*|JAVA_TOOL_OPTIONS"));
    process = builder.start();
    all = List.of(process.toHandle());
  }

  /** One that has ended and that nobody asked after, in a container without an init, does not. */
  private boolean runs(ProcessHandle handle) {
    return handle.isAlive() && handle.info().command().isPresent();
  }

  private boolean ended() {
    return !process.isAlive();
  }

  private JsonNode analyses(String user, String password) throws Exception {
    String credentials =
        Base64.getEncoder()
            .encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
    HttpResponse<String> response =
        http.send(
            HttpRequest.newBuilder(URI.create(base + "/api/v1/analyses"))
                .header("Authorization", "Basic " + credentials)
                .build(),
            HttpResponse.BodyHandlers.ofString());
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return json.readTree(response.body()).path("rows");
  }

  private HttpResponse<String> signIn(String user, String password) throws Exception {
    String form =
        "j_username=%s&j_password=%s"
            .formatted(
                URLEncoder.encode(user, StandardCharsets.UTF_8),
                URLEncoder.encode(password, StandardCharsets.UTF_8));
    return http.send(
        HttpRequest.newBuilder(URI.create(base + "/j_security_check"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString(form))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private HttpResponse<String> get(String path) throws Exception {
    return http.send(
        HttpRequest.newBuilder(URI.create(base + path)).build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private Path data() {
    return directory.resolve("data");
  }

  private String read(String file) throws IOException {
    return Files.readString(directory.resolve(file));
  }

  /** The end of what the process wrote, for a failure that cannot be seen again. */
  private String said() {
    StringBuilder said = new StringBuilder();
    for (String file : List.of("out", "data/reckoner.log", "err")) {
      said.append("--- ").append(file).append('\n');
      try {
        List<String> lines = read(file).lines().toList();
        lines
            .subList(Math.max(0, lines.size() - MOST_LINES), lines.size())
            .forEach(line -> said.append(line).append('\n'));
      } catch (IOException e) {
        said.append(e).append('\n');
      }
    }
    return said.toString();
  }

  private static FileTime modified(Path file) {
    try {
      return Files.getLastModifiedTime(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private static boolean listens(int port) {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return socket.isConnected();
    } catch (IOException e) {
      return false;
    }
  }
}
