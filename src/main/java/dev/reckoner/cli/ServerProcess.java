package dev.reckoner.cli;

import dev.reckoner.embedded.EmbeddedServices;
import dev.reckoner.review.SessionKey;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The application with what has to run around it: embedded services first, then Quarkus, and all of
 * it in reverse at the end, also when the end is a signal.
 */
final class ServerProcess {

  private static final int DEFAULT_PORT = 8080;
  private static final int SHUTDOWN_SECONDS = 60;

  private final ServerOptions options;
  private final Progress progress;
  private final Map<String, String> settings;

  /**
   * @param settings of the application, unless the user set them
   */
  ServerProcess(ServerOptions options, Progress progress, Map<String, String> settings) {
    this.options = options;
    this.progress = progress;
    this.settings = settings;
  }

  /**
   * Runs the application until it ends.
   *
   * @param name what a second process is told, for example {@code reckoner demo}
   * @return the exit code
   */
  int run(String name, Class<? extends QuarkusApplication> application, String... args) {
    Settings configured = Settings.read();
    Path dataDir = options.dataDirectory().toAbsolutePath().normalize();
    if (!"false".equals(settings.get("quarkus.http.host-enabled"))) {
      requireFree(httpPort(configured));
    }
    EmbeddedServices.Wanted wanted =
        new EmbeddedServices.Wanted(
            !configured.has("kafka.bootstrap.servers"),
            !configured.has("quarkus.datasource.jdbc.url"),
            options.kafkaPort,
            options.postgresPort);
    CountDownLatch closed = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> await(closed), "await-shutdown"));
    try (EmbeddedServices services =
        EmbeddedServices.start(dataDir, name, wanted, progress::phase)) {
      progress.close();
      configure(configured, dataDir, services);
      return runQuarkus(application, args);
    } finally {
      closed.countDown();
    }
  }

  private static int runQuarkus(Class<? extends QuarkusApplication> application, String... args) {
    AtomicInteger code = new AtomicInteger();
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Quarkus.run(
        application,
        (exit, thrown) -> {
          code.set(exit);
          failure.set(thrown);
        },
        args);
    if (failure.get() != null) {
      throw new UserException(rootMessage(failure.get()), failure.get());
    }
    return code.get();
  }

  private static String rootMessage(Throwable e) {
    Throwable cause = e;
    while (!(cause instanceof UserException) && cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause.getMessage() == null ? cause.toString() : cause.getMessage();
  }

  private int httpPort(Settings config) {
    return options.port != null
        ? options.port
        : config.get("quarkus.http.port").map(Integer::valueOf).orElse(DEFAULT_PORT);
  }

  private static void requireFree(int port) {
    if (port == 0) {
      return;
    }
    try (ServerSocket socket = new ServerSocket()) {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(port));
    } catch (IOException e) {
      throw new UserException("port " + port + " is taken; choose another with --port", e);
    }
  }

  private void configure(Settings configured, Path dataDir, EmbeddedServices services) {
    System.setProperty("reckoner.data-dir", dataDir.toString());
    SessionKey.install(dataDir);
    if (options.port != null) {
      System.setProperty("quarkus.http.port", options.port.toString());
    }
    if (options.model != null) {
      if (!Files.isDirectory(options.model)) {
        throw new UserException("there is no model directory " + options.model);
      }
      System.setProperty("reckoner.model.dir", options.model.toAbsolutePath().toString());
    }
    services.configuration().forEach(System::setProperty);
    settings.forEach(
        (key, value) -> {
          if (!configured.has(key)) {
            System.setProperty(key, value.replace("{data-dir}", dataDir.toString()));
          }
        });
  }

  private static void await(CountDownLatch closed) {
    try {
      closed.await(SHUTDOWN_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
