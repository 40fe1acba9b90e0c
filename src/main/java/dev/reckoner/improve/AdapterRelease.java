package dev.reckoner.improve;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;

/**
 * The payload of a CloudEvent on the {@code adapter-releases} topic: which adapter a slot is to
 * serve from now on. The topic is compacted and its key is the slot, so the last release of each
 * slot stays.
 *
 * <p>The files do not travel in the record; a replica fetches them from the registry by the
 * adapter's id and checks them against {@code sha256}.
 *
 * @param slot which place in the serving process, {@link #DEFAULT_SLOT} where there is one
 * @param adapterId {@link #BASE} to serve the base model without an adapter
 * @param sha256 of the adapter's files, see {@link AdapterFiles#hash}; empty for {@link #BASE}
 * @param baseModelHash the base the adapter was trained on; another base must refuse it
 */
public record AdapterRelease(
    String slot,
    String adapterId,
    String sha256,
    String baseModelHash,
    String releasedBy,
    Instant releasedAt) {

  public static final String TOPIC = "adapter-releases";
  public static final String EVENT_TYPE = "dev.reckoner.adapter.released.v1";
  public static final String DEFAULT_SLOT = "default";
  public static final String BASE = "base";

  /** The payload of the CloudEvent that announces it. */
  JsonNode data() {
    return CanonicalJson.MAPPER.valueToTree(this);
  }

  /**
   * Reads the payload of a record of the topic.
   *
   * @throws IllegalArgumentException if it is not a release
   */
  public static AdapterRelease parse(JsonNode data) {
    try {
      AdapterRelease release = CanonicalJson.MAPPER.treeToValue(data, AdapterRelease.class);
      if (release == null || release.slot() == null || release.adapterId() == null) {
        throw new IllegalArgumentException("an adapter release needs slot and adapterId");
      }
      return release;
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not an adapter release: " + e.getOriginalMessage(), e);
    }
  }
}
