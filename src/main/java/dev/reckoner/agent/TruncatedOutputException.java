package dev.reckoner.agent;

import dev.langchain4j.exception.NonRetriableException;
import dev.reckoner.inference.FinishReason;

/**
 * The model reached a limit before the end of an answer that is of no use cut off: a chain, JSON, a
 * tool call.
 */
public class TruncatedOutputException extends NonRetriableException {

  private final FinishReason finish;
  private final String limit;
  private final String written;

  TruncatedOutputException(FinishReason finish, String limit, String written) {
    super("the model did not finish within " + limit);
    this.finish = finish;
    this.limit = limit;
    this.written = written;
  }

  public FinishReason finish() {
    return finish;
  }

  /** What was reached, for example {@code 512 tokens}. */
  public String limit() {
    return limit;
  }

  /** The text so far. */
  public String written() {
    return written;
  }
}
