package dev.reckoner.improve;

import dev.reckoner.agent.AdapterSlot;
import dev.reckoner.agent.ServingModel;
import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jboss.logging.Logger;

/**
 * Brings this replica to the adapter that was released: fetches the files, verifies them, swaps.
 * Requests under way end with the adapter they began with.
 *
 * <p>The registry says who is champion; a release that it has gone past since, as a topic that is
 * read again holds, changes nothing.
 */
@ApplicationScoped
public class AdapterRollout {

  /** What came of a release. */
  public sealed interface Outcome {

    /** The adapter, or the base model, serves from the next request on. */
    record Swapped(String adapterId) implements Outcome {}

    /** Nothing had to be done. */
    record AlreadyServing(String adapterId) implements Outcome {}

    /** The registry has gone past this release, as one that a topic still holds. */
    record Superseded(String adapterId, String champion) implements Outcome {}

    /** What served before goes on serving. */
    record Refused(String adapterId, String reason) implements Outcome {}
  }

  private static final Logger LOG = Logger.getLogger(AdapterRollout.class);

  private static final String SERVING = "serving";

  /** Before events are taken in. */
  private static final int EARLY = 500;

  private final AdapterRegistry registry;
  private final AdapterSlot slot;
  private final ServingModel model;
  private final Path adapters;

  AdapterRollout(
      AdapterRegistry registry, AdapterSlot slot, ServingModel model, ReckonerConfig config) {
    this.registry = registry;
    this.slot = slot;
    this.model = model;
    this.adapters = config.dataDir().resolve("adapters");
  }

  /** Serves the champion from the first request on. */
  void restore(@Observes @Priority(EARLY) StartupEvent start) {
    registry.championRelease().ifPresent(this::apply);
  }

  /**
   * Brings this replica to a release. Never throws: what cannot be served is refused and logged.
   */
  public synchronized Outcome apply(AdapterRelease release) {
    Outcome outcome = outcome(release);
    switch (outcome) {
      case Outcome.Swapped swapped -> {
        LOG.infof("serving %s", name(swapped.adapterId()));
        remember(swapped.adapterId());
      }
      case Outcome.AlreadyServing serving -> LOG.debugf("%s serves already", serving.adapterId());
      case Outcome.Superseded past ->
          LOG.debugf("%s was superseded by %s", name(past.adapterId()), name(past.champion()));
      case Outcome.Refused refused ->
          LOG.errorf("refused %s: %s", name(refused.adapterId()), refused.reason());
    }
    return outcome;
  }

  private Outcome outcome(AdapterRelease release) {
    String id = release.adapterId();
    if (!release.slot().equals(AdapterRelease.DEFAULT_SLOT)) {
      return new Outcome.Refused(id, "this process has no slot " + release.slot());
    }
    String champion = registry.champion().map(RegisteredAdapter::id).orElse(AdapterRelease.BASE);
    String serving = slot.current().map(AdapterSlot.Serving::id).orElse(AdapterRelease.BASE);
    if (!id.equals(champion)) {
      return new Outcome.Superseded(id, champion);
    }
    if (id.equals(serving)) {
      return new Outcome.AlreadyServing(id);
    }
    try {
      if (id.equals(AdapterRelease.BASE)) {
        slot.clear();
        return new Outcome.Swapped(id);
      }
      String base = model.reasoner().modelHash();
      if (!release.baseModelHash().equals(base)) {
        return new Outcome.Refused(
            id,
            "it was trained on base model %s, and %s serves here"
                .formatted(abbreviated(release.baseModelHash()), abbreviated(base)));
      }
      slot.swap(fetch(id, release.sha256()), id);
      return new Outcome.Swapped(id);
    } catch (IOException | RuntimeException e) {
      return new Outcome.Refused(id, String.valueOf(e.getMessage()));
    }
  }

  /**
   * The files of a registered adapter, whether it serves or not; empty if there is no such adapter.
   *
   * @throws IOException if they cannot be written, or are not what was registered
   */
  public Optional<Path> directory(String id) throws IOException {
    Optional<RegisteredAdapter> adapter = registry.find(id);
    return adapter.isEmpty() ? Optional.empty() : Optional.of(fetch(id, adapter.get().sha256()));
  }

  /**
   * The adapter's directory, filled from the registry where it is missing or damaged.
   *
   * @throws IOException if the registry's files do not have the announced hash
   */
  Path fetch(String id, String sha256) throws IOException {
    Path directory = adapters.resolve(id);
    if (Files.isDirectory(directory) && readable(directory).equals(Optional.of(sha256))) {
      return directory;
    }
    AdapterFiles files =
        registry.files(id).orElseThrow(() -> new IOException("the registry has no files of it"));
    if (!files.hash().equals(sha256)) {
      throw new IOException(
          "its files have SHA-256 %s, %s was announced"
              .formatted(abbreviated(files.hash()), abbreviated(sha256)));
    }
    files.write(directory);
    return directory;
  }

  /** The adapter that a process with this data directory served last; empty for the base. */
  public static Optional<String> incumbent(Path dataDir) {
    try {
      String id = Files.readString(dataDir.resolve("adapters").resolve(SERVING)).strip();
      return id.equals(AdapterRelease.BASE) ? Optional.empty() : Optional.of(id);
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** For whoever looks at the data directory without a database. */
  private void remember(String id) {
    try {
      Files.createDirectories(adapters);
      Files.writeString(adapters.resolve(SERVING), id + "\n");
    } catch (IOException e) {
      LOG.warnf("%s could not be written: %s", adapters.resolve(SERVING), e.getMessage());
    }
  }

  private static Optional<String> readable(Path directory) {
    try {
      return Optional.of(AdapterFiles.read(directory).hash());
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static String name(String id) {
    return id.equals(AdapterRelease.BASE) ? "the base model" : "adapter " + id;
  }

  private static String abbreviated(String hash) {
    return hash.length() > 12 ? hash.substring(0, 12) : hash;
  }
}
