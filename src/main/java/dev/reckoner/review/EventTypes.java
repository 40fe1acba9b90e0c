package dev.reckoner.review;

/** CloudEvents types in words. */
final class EventTypes {

  private static final String PREFIX = "dev.reckoner.";

  private EventTypes() {}

  /** {@code dev.reckoner.earnings.released.v1} is {@code Earnings released}. */
  static String label(String type) {
    String words = type.startsWith(PREFIX) ? type.substring(PREFIX.length()) : type;
    words = words.replaceFirst("\\.v\\d+$", "").replace('.', ' ').replace('_', ' ').strip();
    return words.isEmpty() ? type : Character.toUpperCase(words.charAt(0)) + words.substring(1);
  }
}
