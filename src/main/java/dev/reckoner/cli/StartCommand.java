package dev.reckoner.cli;

import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** The service, for operation: analyses what arrives until it is stopped. */
@Command(
    name = "start",
    mixinStandardHelpOptions = true,
    description = {
      "Runs the service until it is stopped.",
      "With KAFKA_BOOTSTRAP_SERVERS and QUARKUS_DATASOURCE_JDBC_URL set it uses those; what is not"
          + " set runs inside the process."
    })
final class StartCommand implements Callable<Integer> {

  @Mixin ServerOptions server = new ServerOptions();

  @Override
  public Integer call() {
    try (Progress progress = new Progress(System.err, true)) {
      return new ServerProcess(server, progress, Map.of()).run("reckoner start", Service.class);
    }
  }

  /** Serves until a signal. */
  static final class Service implements QuarkusApplication {

    private final Welcome welcome;

    Service(Welcome welcome) {
      this.welcome = welcome;
    }

    @Override
    public int run(String... args) {
      welcome.print(System.out);
      Quarkus.waitForExit();
      return 0;
    }
  }
}
