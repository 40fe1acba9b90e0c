package dev.reckoner.cli;

import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.backends.Backends;
import dev.reckoner.tensor.cuda.CudaBackend;
import io.zonky.test.db.postgres.util.LinuxUtils;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.KafkaException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Looks at everything that a start needs. */
@Command(
    name = "doctor",
    mixinStandardHelpOptions = true,
    description = "Says what is found, what is missing, and what to do about it.")
final class DoctorCommand implements Callable<Integer> {

  private static final int WAIT_SECONDS = 5;

  @Mixin ServerOptions server = new ServerOptions();

  private boolean healthy = true;

  @Override
  public Integer call() throws InterruptedException {
    Settings settings = Settings.read();
    jdk();
    vectors();
    gpu();
    model();
    dataDirectory();
    broker(settings);
    database(settings);
    return healthy ? 0 : 1;
  }

  private void jdk() {
    int feature = Runtime.version().feature();
    if (feature >= 25) {
      found("JDK", Runtime.version() + " in " + System.getProperty("java.home"));
    } else {
      missing("JDK", feature + " runs, 25 or newer is needed: set JAVA_HOME to one");
    }
  }

  private void vectors() {
    if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
      missing("vectors", "run ./reckoner, or java with --add-modules jdk.incubator.vector");
      return;
    }
    try (Backend cpu = Backends.open("cpu")) {
      found("vectors", cpu.description());
    }
  }

  private void gpu() {
    int devices = CudaBackend.devices();
    if (devices == 0) {
      note("GPU", "no NVIDIA GPU with a driver; the CPU serves and trains");
      return;
    }
    try (Backend cuda = Backends.open("cuda")) {
      found("GPU", "%d, the first is %s".formatted(devices, cuda.description()));
    } catch (RuntimeException e) {
      missing("GPU", e.getMessage());
    }
  }

  private void model() {
    try {
      Path directory =
          server.model == null
              ? BundledModel.directory(server.dataDirectory().resolve("model-cache"))
              : server.model;
      GemmaConfig config = GemmaConfig.read(directory);
      found(
          "model", "%d layers of %d in %s".formatted(config.layers(), config.hidden(), directory));
    } catch (RuntimeException e) {
      missing("model", e.getMessage());
    }
  }

  private void dataDirectory() {
    Path path = server.dataDirectory().toAbsolutePath().normalize();
    Path existing = path;
    while (!Files.exists(existing)) {
      existing = existing.getParent();
    }
    if (Files.isWritable(existing)) {
      found("data", path + (existing.equals(path) ? "" : " (made at the first start)"));
    } else {
      missing("data", path + " can not be written; choose another with --data-dir");
    }
  }

  private void broker(Settings settings) throws InterruptedException {
    Optional<String> servers = settings.get("kafka.bootstrap.servers");
    if (servers.isEmpty()) {
      note("broker", "KAFKA_BOOTSTRAP_SERVERS is not set: one runs inside the process");
      return;
    }
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", servers.get());
    try (Admin admin = Admin.create(config)) {
      int nodes = admin.describeCluster().nodes().get(WAIT_SECONDS, TimeUnit.SECONDS).size();
      found("broker", "%s, %d node(s)".formatted(servers.get(), nodes));
    } catch (ExecutionException | TimeoutException | KafkaException e) {
      missing(
          "broker",
          "%s does not answer; check KAFKA_BOOTSTRAP_SERVERS, or unset it to run one inside"
              .formatted(servers.get()));
    }
  }

  private void database(Settings settings) {
    Optional<String> url = settings.get("quarkus.datasource.jdbc.url");
    if (url.isEmpty()) {
      boolean root = "root".equals(System.getProperty("user.name"));
      if (root && !LinuxUtils.isUnshareAvailable()) {
        missing(
            "database",
            "Postgres refuses to run as root and unshare is not allowed here: run as another user,"
                + " or set QUARKUS_DATASOURCE_JDBC_URL");
      } else {
        note("database", "QUARKUS_DATASOURCE_JDBC_URL is not set: one runs inside the process");
      }
      return;
    }
    DriverManager.setLoginTimeout(WAIT_SECONDS);
    try (Connection connection =
        DriverManager.getConnection(
            url.get(),
            settings.get("quarkus.datasource.username").orElse(null),
            settings.get("quarkus.datasource.password").orElse(null))) {
      found("database", url.get() + ", " + connection.getMetaData().getDatabaseProductVersion());
    } catch (SQLException e) {
      missing("database", "%s: %s".formatted(url.get(), e.getMessage()));
    }
  }

  private static void found(String what, String text) {
    line("ok", what, text);
  }

  private static void note(String what, String text) {
    line("--", what, text);
  }

  private void missing(String what, String text) {
    healthy = false;
    line("!!", what, text);
  }

  private static void line(String mark, String what, String text) {
    System.out.printf("%s %-9s %s%n", mark, what, text);
  }
}
