package dev.reckoner.inference;

/**
 * Follows one generation. Called in order on a virtual thread of its own, so a slow listener never
 * holds up the engine. Exactly one of {@link #onFinish} and {@link #onFailure} comes last.
 */
public interface GenerationListener {

  /** More text; always whole characters. */
  default void onText(String more) {}

  /** The generation ended, for whichever reason. */
  default void onFinish(Generation generation) {}

  /** The request could not be served. */
  default void onFailure(RuntimeException failure) {}
}
