package dev.reckoner.agent;

import java.nio.file.Path;
import java.util.Optional;

/**
 * Which adapter serves. A swap happens between two batches: requests under way finish with the
 * adapter they began with, and no request fails for it.
 */
public interface AdapterSlot {

  /**
   * @param id name of the adapter
   * @param hash SHA-256 over its rank, scale and values
   */
  record Serving(String id, String hash) {}

  /** The adapter that new requests get; empty where the bare base model serves. */
  Optional<Serving> current();

  /**
   * Loads an adapter and serves every later request with it.
   *
   * @param directory a PEFT adapter: {@code adapter_config.json} and {@code
   *     adapter_model.safetensors}
   * @param id the name to serve it under
   * @throws RuntimeException with one clear line if it does not fit the model; then the adapter
   *     that served goes on serving
   */
  Serving swap(Path directory, String id);

  /** Serves the bare base model from the next request on. */
  void clear();
}
