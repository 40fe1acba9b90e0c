package dev.reckoner.embedded;

import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A real broker and a real database for all Quarkus tests of a run, empty at its start.
 *
 * <p>Use it with {@code @WithTestResource(value = EmbeddedServicesResource.class, scope =
 * TestResourceScope.GLOBAL)}, so that it is started once.
 */
public final class EmbeddedServicesResource implements QuarkusTestResourceLifecycleManager {

  private Path directory;
  private EmbeddedServices services;

  @Override
  public Map<String, String> start() {
    try {
      directory = Files.createTempDirectory("reckoner-test");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    services =
        EmbeddedServices.start(directory, "the tests", EmbeddedServices.Wanted.both(), phase -> {});
    Map<String, String> settings = new LinkedHashMap<>(services.configuration());
    settings.put("reckoner.data-dir", directory.resolve("data").toString());
    return settings;
  }

  @Override
  public void stop() {
    if (services == null) {
      return;
    }
    services.close();
    try (Stream<Path> files = Files.walk(directory)) {
      files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(java.io.File::delete);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
