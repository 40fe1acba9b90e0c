package dev.reckoner.djl;

import ai.djl.engine.Engine;
import ai.djl.engine.EngineProvider;
import dev.reckoner.gemma.Telemetry;

/** Registered with DJL under {@code META-INF/services}. */
public final class ReckonerEngineProvider implements EngineProvider {

  /** Behind every engine that has array operations: chosen by name alone. */
  static final int RANK = 100;

  private final ReckonerEngine engine = new ReckonerEngine();

  /** By DJL, which looks for engines before it would report that it was started. */
  public ReckonerEngineProvider() {
    Telemetry.optOut();
  }

  @Override
  public String getEngineName() {
    return ReckonerEngine.NAME;
  }

  @Override
  public int getEngineRank() {
    return RANK;
  }

  @Override
  public Engine getEngine() {
    return engine;
  }
}
