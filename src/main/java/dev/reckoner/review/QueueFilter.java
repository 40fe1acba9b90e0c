package dev.reckoner.review;

import java.util.Set;

/**
 * What part of the analyses to look at. Every field may be {@code null}: no restriction.
 *
 * @param status one of {@link #STATUSES}
 * @param type CloudEvents type
 * @param subject the exact subject
 * @param verdict {@code failed}: some step failed; {@code passed}: none did
 * @param adapter id of the adapter that served
 * @param reviewer who made the standing decision
 * @param search text found in title, subject or answer, in any case
 */
public record QueueFilter(
    String status,
    String type,
    String subject,
    String verdict,
    String adapter,
    String reviewer,
    String search) {

  /** The states of an analysis. */
  public static final Set<String> STATUSES = Set.of("pending", "approved", "corrected", "rejected");

  private static final int LONGEST = 200;

  public QueueFilter {
    status = blankToNull(status);
    type = blankToNull(type);
    subject = blankToNull(subject);
    verdict = blankToNull(verdict);
    adapter = blankToNull(adapter);
    reviewer = blankToNull(reviewer);
    search = blankToNull(search);
    if (status != null && !STATUSES.contains(status)) {
      throw new ReviewException(
          ReviewException.Problem.INVALID,
          "status is one of pending, approved, corrected, rejected");
    }
    if (verdict != null && !verdict.equals("failed") && !verdict.equals("passed")) {
      throw new ReviewException(ReviewException.Problem.INVALID, "verdict is failed or passed");
    }
  }

  /** What waits for a decision. */
  public static QueueFilter pending() {
    return new QueueFilter("pending", null, null, null, null, null, null);
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
