package dev.reckoner.review;

import dev.reckoner.review.ReviewException.Problem;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeParseException;
import java.util.Base64;
import java.util.UUID;

/**
 * A row's place in the order of the queue, to go on from. The page behind it is found by comparison
 * and not by counting, so that a deep page costs as little as the first and nothing is shown twice
 * when others decide meanwhile.
 */
record QueueCursor(
    boolean disputed, int failedSteps, double confidence, OffsetDateTime createdAt, UUID id) {

  /** As it goes into an address. */
  String text() {
    String plain =
        String.join(
            "|",
            disputed ? "1" : "0",
            Integer.toString(failedSteps),
            Double.toString(confidence),
            createdAt.withOffsetSameInstant(ZoneOffset.UTC).toString(),
            id.toString());
    return Base64.getUrlEncoder()
        .withoutPadding()
        .encodeToString(plain.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * @return {@code null} for a blank text
   * @throws ReviewException if it is none of ours
   */
  static QueueCursor of(String text) {
    if (text == null || text.isBlank()) {
      return null;
    }
    try {
      String[] parts =
          new String(Base64.getUrlDecoder().decode(text), StandardCharsets.UTF_8).split("\\|", -1);
      if (parts.length != 5) {
        throw new IllegalArgumentException(text);
      }
      return new QueueCursor(
          parts[0].equals("1"),
          Integer.parseInt(parts[1]),
          Double.parseDouble(parts[2]),
          OffsetDateTime.parse(parts[3]),
          UUID.fromString(parts[4]));
    } catch (IllegalArgumentException | DateTimeParseException e) {
      throw new ReviewException(
          Problem.INVALID, "after and before take what an earlier page gave as next and previous");
    }
  }
}
