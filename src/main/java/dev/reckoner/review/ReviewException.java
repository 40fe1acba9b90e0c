package dev.reckoner.review;

import java.util.Map;

/** A request that cannot be served, with the one line that the person reads. */
public final class ReviewException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final Problem problem;
  private final transient Map<String, Object> details;

  /** What went wrong: the problem type of RFC 9457 with its HTTP status. */
  public enum Problem {
    NOT_FOUND(404, "There is no such thing"),
    /** Somebody decided in the meantime. */
    STALE(409, "Decided in the meantime"),
    /** Somebody else has the lease. */
    TAKEN(409, "Somebody else is on it"),
    /** The chain cannot be read. */
    CHAIN_SYNTAX(422, "The chain cannot be read"),
    /** The model, adapter or prompt of then are not those of this process. */
    NOT_REPLAYABLE(409, "It cannot be replayed here"),
    INVALID(422, "The request is not valid"),
    FORBIDDEN(403, "Not allowed"),
    /** The model cannot be asked. */
    UNAVAILABLE(503, "The model cannot answer");

    private final int status;
    private final String title;

    Problem(int status, String title) {
      this.status = status;
      this.title = title;
    }

    public int status() {
      return status;
    }

    public String title() {
      return title;
    }

    /** The last segment of the problem type, for example {@code chain-syntax}. */
    public String slug() {
      return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }
  }

  ReviewException(Problem problem, String message) {
    this(problem, message, Map.of());
  }

  /**
   * @param details more members of the problem document
   */
  ReviewException(Problem problem, String message, Map<String, Object> details) {
    super(message);
    this.problem = problem;
    this.details = details;
  }

  public Problem problem() {
    return problem;
  }

  public Map<String, Object> details() {
    return details;
  }
}
