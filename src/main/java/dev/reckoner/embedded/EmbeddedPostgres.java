package dev.reckoner.embedded;

import io.zonky.test.db.postgres.util.LinuxUtils;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Base64;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A Postgres server as a child process, with its cluster in a directory.
 *
 * <p>It listens on the loopback interface and asks for a password, which is drawn at random on the
 * first start and kept beside the cluster, readable by its owner only.
 */
public final class EmbeddedPostgres implements AutoCloseable {

  private static final String USER = "postgres";
  private static final String HBA =
      """
      # Written by Reckoner: a password for every connection, from this machine only.
      local all all scram-sha-256
      host  all all 127.0.0.1/32 scram-sha-256
      host  all all ::1/128      scram-sha-256
      """;

  private final io.zonky.test.db.postgres.embedded.EmbeddedPostgres server;
  private final String password;

  private EmbeddedPostgres(
      io.zonky.test.db.postgres.embedded.EmbeddedPostgres server, String password) {
    this.server = server;
    this.password = password;
  }

  /**
   * Starts the server; returns when it accepts connections.
   *
   * @param directory holds the cluster, the binaries and the password
   * @param configuredPort the port, or 0 for the last one or any
   * @throws EmbeddedException if it does not start
   */
  public static EmbeddedPostgres start(Path directory, int configuredPort) {
    Path cluster = directory.resolve("cluster");
    try {
      Files.createDirectories(directory);
      stopOrphan(cluster);
      int port = Ports.choose(configuredPort, directory.resolve("port"), "Postgres");
      String password = password(directory.resolve("password"), cluster);
      var server =
          io.zonky.test.db.postgres.embedded.EmbeddedPostgres.builder()
              .setDataDirectory(cluster)
              .setCleanDataDirectory(false)
              .setRegisterShutdownHook(false) // the pool is closed first, see EmbeddedServices
              .setOverrideWorkingDirectory(directory.resolve("binaries").toFile())
              .setPort(port)
              .setPGStartupWait(Duration.ofSeconds(60))
              .setConnectConfig("password", password)
              .setLocaleConfig("locale", "C.UTF-8")
              // The defaults of the library are those of a test database: no fsync, late commits.
              .setServerConfig("fsync", "on")
              .setServerConfig("synchronous_commit", "on")
              .setServerConfig("max_connections", "50")
              .setServerConfig("shared_buffers", "32MB")
              .setServerConfig("listen_addresses", "127.0.0.1")
              .setServerConfig("unix_socket_directories", "")
              .start();
      EmbeddedPostgres started = new EmbeddedPostgres(server, password);
      try {
        started.requirePassword(cluster);
      } catch (IOException | SQLException e) {
        started.close();
        throw e;
      }
      return started;
    } catch (IOException | SQLException | IllegalStateException e) {
      throw new EmbeddedException(explain(directory, e), e);
    }
  }

  private static String explain(Path directory, Exception e) {
    boolean root = "root".equals(System.getProperty("user.name"));
    return root && !LinuxUtils.isUnshareAvailable()
        ? "Postgres refuses to run as root and this machine allows no user namespace (unshare -U):"
            + " run as another user, or set QUARKUS_DATASOURCE_JDBC_URL to an existing database"
        : "the embedded Postgres in %s did not start: %s; see its log, or set QUARKUS_DATASOURCE_JDBC_URL to an existing database"
            .formatted(directory, e.getMessage());
  }

  /**
   * A process killed hard leaves its server running. The caller holds the data directory's lock, so
   * whoever runs on this cluster is an orphan.
   */
  private static void stopOrphan(Path cluster) throws IOException {
    Path pidFile = cluster.resolve("postmaster.pid");
    if (!Files.exists(pidFile)) {
      return;
    }
    List<String> lines = Files.readAllLines(pidFile);
    Optional<ProcessHandle> process =
        lines.isEmpty() ? Optional.empty() : ProcessHandle.of(Long.parseLong(lines.get(0).strip()));
    boolean postgres =
        process.flatMap(p -> p.info().command()).filter(c -> c.endsWith("postgres")).isPresent();
    if (postgres) {
      ProcessHandle orphan = process.get();
      orphan.destroy();
      if (!exited(orphan, 10)) {
        orphan.destroyForcibly();
        exited(orphan, 10);
      }
    }
    Files.deleteIfExists(pidFile);
  }

  private static boolean exited(ProcessHandle process, int seconds) {
    try {
      process.onExit().get(seconds, TimeUnit.SECONDS);
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException e) {
      return false;
    }
  }

  /** The kept password; a new one where none is kept, which the cluster is then opened for. */
  private static String password(Path file, Path cluster) throws IOException {
    if (Files.exists(file)) {
      return Files.readString(file).strip();
    }
    byte[] bytes = new byte[24];
    new SecureRandom().nextBytes(bytes);
    String password = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    Path hba = cluster.resolve("pg_hba.conf");
    if (Files.exists(hba)) {
      Files.writeString(hba, "host all all 127.0.0.1/32 trust\n");
    }
    Path draft = file.resolveSibling("password.new");
    Files.deleteIfExists(draft);
    if (Files.getFileStore(file.getParent()).supportsFileAttributeView("posix")) {
      Files.createFile(
          draft,
          PosixFilePermissions.asFileAttribute(
              EnumSet.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE)));
    }
    Files.writeString(draft, password + "\n");
    Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE);
    return password;
  }

  /**
   * initdb trusts everyone on the machine; from here on a password is asked for. Each step may be
   * repeated, for a start that was cut off between them.
   */
  private void requirePassword(Path cluster) throws IOException, SQLException {
    Path hba = cluster.resolve("pg_hba.conf");
    if (Files.readString(hba).equals(HBA)) {
      return;
    }
    try (Connection connection = server.getPostgresDatabase().getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute("alter user postgres password '" + password + "'");
      if (!exists(statement)) {
        statement.execute("create database reckoner");
      }
      Files.writeString(hba, HBA);
      statement.execute("select pg_reload_conf()");
    }
  }

  private static boolean exists(Statement statement) throws SQLException {
    try (ResultSet found =
        statement.executeQuery("select 1 from pg_database where datname = 'reckoner'")) {
      return found.next();
    }
  }

  /** The JDBC URL, without user or password. */
  public String jdbcUrl() {
    return "jdbc:postgresql://127.0.0.1:%d/reckoner".formatted(server.getPort());
  }

  /** The user to connect as. */
  public String user() {
    return USER;
  }

  /** The password of {@link #user()}. */
  public String password() {
    return password;
  }

  /** Stops the server cleanly and waits for it. */
  @Override
  public void close() {
    try {
      server.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
