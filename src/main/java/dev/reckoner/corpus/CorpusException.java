package dev.reckoner.corpus;

import java.io.IOException;

/** A data file that cannot be used. The message names the file and the line, and says why. */
public final class CorpusException extends IOException {

  private static final long serialVersionUID = 1L;

  public CorpusException(String message) {
    super(message);
  }

  public CorpusException(String message, Throwable cause) {
    super(message, cause);
  }
}
