package dev.reckoner.cli;

import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** What every command that runs the application takes. */
final class ServerOptions {

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description =
          "Everything that is kept: database, broker, adapters, log (default: $RECKONER_DATA_DIR,"
              + " else .reckoner beside the launcher).")
  Path dataDir;

  @Option(
      names = "--port",
      paramLabel = "PORT",
      description = "Port of the page and the REST API (default: 8080).")
  Integer port;

  @Option(
      names = "--kafka-port",
      paramLabel = "PORT",
      description = "Port of the embedded broker (default: the last one, or any).")
  int kafkaPort;

  @Option(
      names = "--postgres-port",
      paramLabel = "PORT",
      description = "Port of the embedded database (default: the last one, or any).")
  int postgresPort;

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description = "A Gemma 3 checkpoint to serve instead of the bundled model.")
  Path model;

  Path dataDirectory() {
    if (dataDir != null) {
      return dataDir;
    }
    return Optional.ofNullable(System.getProperty("reckoner.data-dir"))
        .or(() -> Optional.ofNullable(System.getenv("RECKONER_DATA_DIR")))
        .map(Path::of)
        .orElse(Path.of(".reckoner"));
  }
}
