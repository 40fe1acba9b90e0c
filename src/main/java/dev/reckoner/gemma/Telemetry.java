package dev.reckoner.gemma;

/**
 * Keeps DJL quiet: at its start it asks whether it runs in its makers' cloud, and tells them of it
 * there. Nothing here talks to anybody that was not named, unless it is set to.
 */
public final class Telemetry {

  /** Of DJL, as an environment variable or a system property. */
  private static final String OPT_OUT = "OPT_OUT_TRACKING";

  private Telemetry() {}

  /** Before DJL's first engine or tokenizer is made. Leaves a setting of the user as it is. */
  public static void optOut() {
    if (System.getenv(OPT_OUT) == null && System.getProperty(OPT_OUT) == null) {
      System.setProperty(OPT_OUT, "true");
    }
  }
}
