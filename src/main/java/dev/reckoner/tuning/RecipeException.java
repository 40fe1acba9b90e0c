package dev.reckoner.tuning;

/** A recipe that cannot be used; a one-line message for whoever wrote it. */
public final class RecipeException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public RecipeException(String message) {
    super(message);
  }
}
