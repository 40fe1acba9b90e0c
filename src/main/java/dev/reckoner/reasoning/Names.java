package dev.reckoner.reasoning;

/** The names of steps: a, b, c … in the order in which they are made. */
final class Names {

  /** A chain has at most this many named steps. */
  static final int MAX = 20;

  private Names() {}

  static String of(int index) {
    return String.valueOf((char) ('a' + index));
  }

  static boolean isName(String name) {
    return name.length() == 1 && name.charAt(0) >= 'a' && name.charAt(0) <= 'z';
  }

  static void check(String name) {
    if (!isName(name)) {
      throw new IllegalArgumentException("the name of a step is one letter, not '" + name + "'");
    }
  }

  static void checkLine(String text, String what) {
    if (text.isBlank() || !text.equals(text.strip())) {
      throw new IllegalArgumentException("the " + what + " is blank or not trimmed");
    }
    if (text.indexOf('\n') >= 0 || text.indexOf('\r') >= 0) {
      throw new IllegalArgumentException("the " + what + " must be on one line");
    }
  }
}
