package dev.reckoner.cli;

import java.util.HashMap;
import java.util.Map;

/** How a command at a terminal logs: everything into the data directory, warnings here. */
final class LogSettings {

  private LogSettings() {}

  /** Everything to a file that is rotated; on the console, warnings without stack traces. */
  static Map<String, String> quiet() {
    Map<String, String> settings = new HashMap<>();
    settings.put("quarkus.log.file.enabled", "true");
    settings.put("quarkus.log.file.path", "{data-dir}/reckoner.log");
    settings.put("quarkus.log.file.rotation.max-file-size", "10M");
    settings.put("quarkus.log.file.rotation.max-backup-index", "3");
    settings.put("quarkus.log.console.level", "WARN");
    settings.put("quarkus.log.console.format", "%p: %s%n"); // %s leaves the stack trace to the file
    return settings;
  }
}
