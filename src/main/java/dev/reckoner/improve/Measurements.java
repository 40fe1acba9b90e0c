package dev.reckoner.improve;

import com.fasterxml.jackson.core.type.TypeReference;
import dev.reckoner.evaluation.Grade;
import dev.reckoner.evaluation.Measurement;
import dev.reckoner.evaluation.Suite;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * Grades that were measured before, as files. An answer depends on the suite, the base model, the
 * adapter and how texts are written, and on nothing else, so a champion is measured once a suite.
 */
final class Measurements {

  private final Path directory;

  Measurements(Path dataDir) {
    this.directory = dataDir.resolve("measurements");
  }

  /**
   * What decides every answer.
   *
   * @param adapterSha256 empty for the base model
   * @param options how texts are written
   * @param build of this program
   */
  record Key(
      String suiteVersion,
      String baseModelHash,
      String adapterSha256,
      String backend,
      String options,
      String build) {

    String fileName() {
      return DigestUtils.sha256Hex(CanonicalJson.write(this)) + ".json";
    }
  }

  Optional<Measurement> find(Key key, Suite suite, String model) {
    Path file = directory.resolve(key.fileName());
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    try {
      List<Grade> grades =
          CanonicalJson.MAPPER.readValue(Files.readAllBytes(file), new TypeReference<>() {});
      return Optional.of(Measurement.of(suite, model, grades));
    } catch (IOException e) {
      // A file that cannot be read is measured again.
      return Optional.empty();
    }
  }

  void keep(Key key, Measurement measurement) throws IOException {
    Files.createDirectories(directory);
    Path file = directory.resolve(key.fileName());
    Path partial = Files.createTempFile(directory, "measuring", ".json");
    Files.writeString(partial, CanonicalJson.write(measurement.grades()));
    Files.move(partial, file, StandardCopyOption.REPLACE_EXISTING);
  }
}
