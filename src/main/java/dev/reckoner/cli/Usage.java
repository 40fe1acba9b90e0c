package dev.reckoner.cli;

import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** What several commands ask of their options. */
final class Usage {

  private Usage() {}

  /** Makes anything below 1 a wrong usage. */
  static void positive(CommandSpec spec, String option, int value) {
    if (value < 1) {
      throw new ParameterException(spec.commandLine(), option + " must be at least 1");
    }
  }
}
