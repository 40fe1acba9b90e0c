package dev.reckoner.evaluation;

import dev.reckoner.corpus.FilingFile;
import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.SyntheticGenerator.Topic;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Suites by the name that a user gives. */
public final class Suites {

  private static final String PACK = "finance";

  private Suites() {}

  /**
   * Opens a suite.
   *
   * @param name {@code synthetic}, {@code synthetic-rare}, {@code comparative}, {@code units},
   *     {@code unanswerable}, {@code house-rule}, those that choices may be made by ({@code
   *     synthetic-train}, {@code house-rule-validation}), a suite file (JSON Lines, see {@link
   *     SuiteFile}), or a FinQA, TAT-QA or ConvFinQA file as distributed, plain or gzip, of which
   *     the problems stay whose answer is a figure, yes, no, or missing
   * @param limit the first problems
   * @param goldEvidence of a data set that says where its answers stand: only that evidence
   * @throws SuiteException one line
   */
  public static Suite open(String name, int limit, boolean goldEvidence) {
    return switch (name) {
      case SyntheticSuite.NAME -> SyntheticSuite.of(PACK, SyntheticSuite.SEED, limit);
      case SyntheticSuite.RARE -> SyntheticSuite.rare(PACK, SyntheticSuite.SEED, limit);
      case SyntheticSuite.TRAINING -> SyntheticSuite.training(PACK, SyntheticSuite.SEED, limit);
      case HouseRuleSuite.NAME -> HouseRuleSuite.of(PACK, HouseRuleSuite.SEED, limit);
      case HouseRuleSuite.VALIDATION -> HouseRuleSuite.validation(PACK, HouseRuleSuite.SEED, limit);
      default -> {
        for (Topic topic : Topic.values()) {
          if (topic.text().equals(name)) {
            yield SyntheticSuite.of(topic, PACK, SyntheticSuite.SEED, limit);
          }
        }
        yield file(name, limit, goldEvidence);
      }
    };
  }

  /** The suite files of a folder, in order of their names; any other name by itself. */
  public static List<String> folder(String name) {
    Path folder = Path.of(name);
    if (!Files.isDirectory(folder)) {
      return List.of(name);
    }
    try (Stream<Path> inside = Files.list(folder)) {
      List<String> files =
          inside.map(Path::toString).filter(file -> file.endsWith(".jsonl")).sorted().toList();
      if (files.isEmpty()) {
        throw new SuiteException("there is no suite (*.jsonl) in " + folder);
      }
      return files;
    } catch (IOException e) {
      throw new SuiteException(folder + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static Suite file(String name, int limit, boolean goldEvidence) {
    Path file = Path.of(name);
    if (!Files.isRegularFile(file)) {
      throw new SuiteException(
          "there is no suite "
              + name
              + "; name synthetic, synthetic-rare, comparative, units, unanswerable, house-rule, or"
              + " a file of problems");
    }
    try {
      if (SuiteFile.is(file)) {
        return SuiteFile.read(file).limited(limit);
      }
      List<Problem> problems =
          FilingFile.read(file).stream()
              .filter(Grader::gradable)
              .map(problem -> goldEvidence ? problem.focused() : problem)
              .limit(limit)
              .toList();
      String base = file.getFileName().toString().replaceFirst("\\.jsonl?(\\.gz)?$", "");
      Path parent = file.toAbsolutePath().getParent().getFileName();
      return Suite.of(parent + "-" + base + (goldEvidence ? "-gold" : ""), problems);
    } catch (IOException e) {
      throw new SuiteException(file + " cannot be read: " + e.getMessage(), e);
    }
  }
}
