package dev.reckoner.cli;

import dev.reckoner.embedded.DataDirectory;
import dev.reckoner.embedded.EmbeddedException;
import io.quarkus.runtime.QuarkusApplication;
import java.io.Console;
import java.net.URI;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToIntFunction;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** Where the improvement loop is: in a service that runs, or in this process. */
final class ImprovementOptions {

  private static final URI DEFAULT_URL = URI.create("http://localhost:8080");

  @Mixin ServerOptions server = new ServerOptions();

  @Option(
      names = "--url",
      paramLabel = "URL",
      description =
          "The service to ask. Without it: the one that holds the data directory, expected at"
              + " http://localhost:8080, else this process does it itself.")
  URI url;

  @Option(
      names = "--user",
      paramLabel = "NAME",
      defaultValue = "owner",
      description =
          "Account of the service (default: ${DEFAULT-VALUE}); its password is read from"
              + " $RECKONER_PASSWORD, else asked for.")
  String user;

  /**
   * Does something with the loop, wherever it is.
   *
   * @param application what to run in this process; it calls the command again, see {@link
   *     Main#options}
   * @return the exit code
   */
  int with(
      CommandSpec spec,
      Class<? extends QuarkusApplication> application,
      ToIntFunction<ImprovementAccess> action) {
    Optional<URI> service = service();
    if (service.isPresent()) {
      return action.applyAsInt(new ImprovementAccess.Remote(service.get(), user, password()));
    }
    Map<String, String> settings = new HashMap<>(LogSettings.quiet());
    settings.put("quarkus.http.host-enabled", "false");
    try (Progress progress = new Progress(System.err, false)) {
      return new ServerProcess(server, progress, settings)
          .run(
              "reckoner " + spec.name(),
              application,
              spec.commandLine()
                  .getParent()
                  .getParseResult()
                  .originalArgs()
                  .toArray(String[]::new));
    }
  }

  private Optional<URI> service() {
    if (url != null) {
      return Optional.of(url);
    }
    if (!Files.isDirectory(server.dataDirectory())) {
      return Optional.empty();
    }
    try (DataDirectory free = DataDirectory.lock(server.dataDirectory(), "reckoner")) {
      return Optional.empty();
    } catch (EmbeddedException held) {
      return Optional.of(DEFAULT_URL);
    }
  }

  private static String password() {
    String given = System.getenv("RECKONER_PASSWORD");
    if (given != null) {
      return given;
    }
    Console console = System.console();
    if (console == null || !console.isTerminal()) {
      throw new UserException(
          "a service is running: give the password of --user in RECKONER_PASSWORD");
    }
    return new String(console.readPassword("Password: "));
  }
}
