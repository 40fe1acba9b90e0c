package dev.reckoner.cli;

import java.io.File;
import java.nio.file.Path;
import java.util.stream.Collectors;

/**
 * Prints the class path of the commands that a bundle has, for a launcher that runs one of them by
 * itself: {@code java -cp … dev.reckoner.cli.ClassPath}.
 */
final class ClassPath {
  private ClassPath() {}

  /** Takes no arguments. */
  public static void main(String... args) {
    System.out.println(line());
  }

  static String line() {
    return BundleCommand.jars().stream()
        .map(Path::toString)
        .collect(Collectors.joining(File.pathSeparator));
  }
}
