package dev.reckoner.djl;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.util.passthrough.PassthroughNDManager;

/**
 * Serves Gemma 3 checkpoints. It has no array operations: its manager hands objects through, and
 * says of everything else that it is not supported.
 */
public final class ReckonerEngine extends Engine {

  public static final String NAME = "Reckoner";

  ReckonerEngine() {}

  @Override
  public Engine getAlternativeEngine() {
    return null;
  }

  @Override
  public String getEngineName() {
    return NAME;
  }

  @Override
  public int getRank() {
    return ReckonerEngineProvider.RANK;
  }

  @Override
  public String getVersion() {
    String version = ReckonerEngine.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  @Override
  public boolean hasCapability(String capability) {
    return false;
  }

  @Override
  public Model newModel(String name, Device device) {
    return new ReckonerModel(name, device, newBaseManager(device));
  }

  @Override
  public NDManager newBaseManager() {
    return newBaseManager(null);
  }

  @Override
  public NDManager newBaseManager(Device device) {
    return new PassthroughNDManager(this, device == null ? Device.cpu() : device);
  }
}
