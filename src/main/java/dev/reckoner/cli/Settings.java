package dev.reckoner.cli;

import io.smallrye.config.DotEnvConfigSourceProvider;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * What the user configured, where Quarkus will look for it, read before Quarkus starts: system
 * properties, the environment, {@code .env} and {@code config/application.properties}.
 */
final class Settings {

  private final SmallRyeConfig config;

  private Settings(SmallRyeConfig config) {
    this.config = config;
  }

  static Settings read() {
    SmallRyeConfigBuilder builder =
        new SmallRyeConfigBuilder()
            .addDefaultInterceptors()
            .addDefaultSources()
            .withSources(new DotEnvConfigSourceProvider());
    Path file = Path.of("config", "application.properties");
    if (Files.exists(file)) {
      try {
        builder.withSources(new PropertiesConfigSource(file.toUri().toURL()));
      } catch (IOException e) {
        throw new UserException("%s can not be read: %s".formatted(file, e.getMessage()), e);
      }
    }
    return new Settings(builder.build());
  }

  boolean has(String key) {
    return get(key).isPresent();
  }

  Optional<String> get(String key) {
    return config.getOptionalValue(key, String.class);
  }

  /** The configured value, else that of {@code fallback}, else {@code null}. */
  String or(String key, Map<String, String> fallback) {
    return get(key).orElse(fallback.get(key));
  }
}
