package dev.reckoner.events;

/** A record that can not be served, however often it is tried. */
public final class RejectedException extends Exception {

  /** No CloudEvent can be read from it. */
  static final String UNREADABLE = "unreadable";

  /** It is larger than what is read. */
  static final String OVERSIZED = "oversized";

  /** A CloudEvent of a type that no pack knows. */
  static final String UNKNOWN_TYPE = "unknown-type";

  /** Its envelope or payload breaks the schema of its type. */
  static final String INVALID = "invalid";

  /** Every attempt to analyse it failed. */
  static final String FAILED = "failed";

  private static final long serialVersionUID = 1L;

  private final String reason;

  RejectedException(String reason, String cause) {
    this(reason, cause, null);
  }

  /**
   * @param reason a short constant code, the header {@code dead-letter-reason}
   * @param message one line for a person, the header {@code dead-letter-cause}
   */
  RejectedException(String reason, String message, Throwable cause) {
    super(message, cause);
    this.reason = reason;
  }

  /** A short constant code. */
  public String reason() {
    return reason;
  }
}
