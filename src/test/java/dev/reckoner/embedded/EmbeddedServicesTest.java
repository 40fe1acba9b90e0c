package dev.reckoner.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedServicesTest {

  @TempDir Path directory;

  @Test
  void dataSurvivesARestart() throws Exception {
    try (EmbeddedServices services = start()) {
      createTopic(services, "kept");
      execute(services, "create table kept (n int)");
      execute(services, "insert into kept values (42)");
    }
    try (EmbeddedServices services = start()) {
      assertThat(topics(services)).contains("kept");
      assertThat(number(services, "select n from kept")).isEqualTo(42);
    }
  }

  @Test
  void aKilledProcessLeavesItRestartable() throws Exception {
    Process process = runInOtherProcess();
    process.destroyForcibly().waitFor(20, TimeUnit.SECONDS);
    assertThat(directory.resolve("postgres/cluster/postmaster.pid")).exists();

    try (EmbeddedServices services = start()) {
      assertThat(topics(services)).contains("from-the-other");
      assertThat(number(services, "select n from kept")).isEqualTo(7);
    }
  }

  @Test
  void aSecondProcessIsRefusedWithWhoHoldsTheDirectory() throws Exception {
    Process process = runInOtherProcess();
    try {
      assertThatThrownBy(this::start)
          .isInstanceOf(EmbeddedException.class)
          .hasMessageContaining("in use by process " + process.pid())
          .hasMessageContaining("--data-dir")
          .hasMessageNotContaining("\n");
    } finally {
      process.destroyForcibly().waitFor(20, TimeUnit.SECONDS);
      start().close(); // stops the orphaned database too
    }
  }

  @Test
  void postgresAsksForItsPassword() throws Exception {
    try (EmbeddedServices services = start()) {
      String url = services.configuration().get("quarkus.datasource.jdbc.url");
      assertThatThrownBy(() -> DriverManager.getConnection(url, "postgres", "guess").close())
          .isInstanceOf(SQLException.class)
          .hasMessageContaining("password");
    }
  }

  @Test
  void aLostPasswordFileIsReplaced() throws Exception {
    try (EmbeddedServices services = start()) {
      execute(services, "create table kept (n int)");
    }
    Files.delete(directory.resolve("postgres/password"));
    try (EmbeddedServices services = start()) {
      assertThat(number(services, "select count(*) from kept")).isZero();
    }
  }

  private EmbeddedServices start() {
    return EmbeddedServices.start(directory, "test", EmbeddedServices.Wanted.both(), phase -> {});
  }

  /** Starts both services in a second JVM, with a topic and a row in them. */
  private Process runInOtherProcess() throws IOException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                OtherProcess.class.getName(),
                directory.toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    var out = process.inputReader(StandardCharsets.UTF_8);
    String line = out.readLine();
    while (line != null && !line.equals("ready")) {
      line = out.readLine();
    }
    assertThat(line).isEqualTo("ready");
    return process;
  }

  /** The second JVM. */
  static final class OtherProcess {
    public static void main(String[] args) throws Exception {
      EmbeddedServices services =
          EmbeddedServices.start(
              Path.of(args[0]), "another test", EmbeddedServices.Wanted.both(), phase -> {});
      createTopic(services, "from-the-other");
      execute(services, "create table kept (n int)");
      execute(services, "insert into kept values (7)");
      try (var producer =
          new KafkaProducer<>(
              Map.of("bootstrap.servers", (Object) services.bootstrapServers().orElseThrow()),
              new StringSerializer(),
              new StringSerializer())) {
        producer.send(new ProducerRecord<>("from-the-other", "k", "v")).get();
      }
      System.out.println("ready");
      Thread.sleep(Long.MAX_VALUE);
    }
  }

  private static void createTopic(EmbeddedServices services, String name) throws Exception {
    try (Admin admin = admin(services)) {
      admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all().get();
    }
  }

  private static List<String> topics(EmbeddedServices services) throws Exception {
    try (Admin admin = admin(services)) {
      return List.copyOf(admin.listTopics().names().get());
    }
  }

  private static Admin admin(EmbeddedServices services) {
    return Admin.create(Map.of("bootstrap.servers", services.bootstrapServers().orElseThrow()));
  }

  private static void execute(EmbeddedServices services, String sql) throws SQLException {
    try (Connection connection = connect(services);
        var statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private static int number(EmbeddedServices services, String sql) throws SQLException {
    try (Connection connection = connect(services);
        var statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      rows.next();
      return rows.getInt(1);
    }
  }

  private static Connection connect(EmbeddedServices services) throws SQLException {
    Map<String, String> c = services.configuration();
    return DriverManager.getConnection(
        c.get("quarkus.datasource.jdbc.url"),
        c.get("quarkus.datasource.username"),
        c.get("quarkus.datasource.password"));
  }
}
