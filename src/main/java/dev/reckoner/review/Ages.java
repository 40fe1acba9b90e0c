package dev.reckoner.review;

import java.time.Duration;
import java.time.Instant;

/** How long ago something was, in one short unit. */
final class Ages {

  private Ages() {}

  /** The same as a person says it: {@code just now}, {@code 5 min ago}. */
  static String ago(Instant instant) {
    String age = since(instant);
    return age.equals("now") ? "just now" : age + " ago";
  }

  static String since(Instant instant) {
    Duration age = Duration.between(instant, Instant.now());
    if (age.toMinutes() < 1) {
      return "now";
    }
    if (age.toHours() < 1) {
      return age.toMinutes() + " min";
    }
    if (age.toDays() < 1) {
      return age.toHours() + " h";
    }
    return age.toDays() + " d";
  }
}
