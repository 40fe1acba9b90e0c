package dev.reckoner.review;

import java.util.Set;

/**
 * What part of the analyses to look at. Every field may be {@code null}: no restriction.
 *
 * @param status one of {@link #STATUSES}
 * @param type CloudEvents type
 * @param subject the exact subject
 * @param verdict {@code failed}: some step failed; {@code passed}: none did; {@code disputed}: two
 *     reviewers differ
 * @param adapter id of the adapter that served
 * @param reviewer who made the standing decision
 * @param age one of {@link #AGES}: since when it waits
 * @param search text found in title, subject or answer, in any case
 */
public record QueueFilter(
    String status,
    String type,
    String subject,
    String verdict,
    String adapter,
    String reviewer,
    String age,
    String search) {

  /** The states of an analysis. */
  public static final Set<String> STATUSES = Set.of("pending", "approved", "corrected", "rejected");

  /** What a verdict can be asked for. */
  public static final Set<String> VERDICTS = Set.of("failed", "passed", "disputed");

  /** Made within the last hour, day or week, or before. */
  public static final Set<String> AGES = Set.of("hour", "day", "week", "older");

  private static final int LONGEST = 200;

  public QueueFilter {
    status = blankToNull(status);
    type = blankToNull(type);
    subject = blankToNull(subject);
    verdict = blankToNull(verdict);
    adapter = blankToNull(adapter);
    reviewer = blankToNull(reviewer);
    age = blankToNull(age);
    search = blankToNull(search);
    if (status != null && !STATUSES.contains(status)) {
      throw new ReviewException(
          ReviewException.Problem.INVALID,
          "status is one of pending, approved, corrected, rejected");
    }
    if (verdict != null && !VERDICTS.contains(verdict)) {
      throw new ReviewException(
          ReviewException.Problem.INVALID, "verdict is failed, passed or disputed");
    }
    if (age != null && !AGES.contains(age)) {
      throw new ReviewException(
          ReviewException.Problem.INVALID, "age is one of hour, day, week, older");
    }
  }

  /** What waits for a decision. */
  public static QueueFilter pending() {
    return new QueueFilter("pending", null, null, null, null, null, null, null);
  }

  /** The search as a pattern for {@code ilike}, or {@code null}. */
  String searchPattern() {
    return search == null
        ? null
        : "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%";
  }

  private static String blankToNull(String value) {
    if (value == null || value.isBlank()) {
      return null;
    }
    if (value.length() > LONGEST) {
      throw new ReviewException(
          ReviewException.Problem.INVALID, "a filter has at most " + LONGEST + " characters");
    }
    return value.strip();
  }
}
