package dev.reckoner.improve;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;
import java.util.Set;
import java.util.UUID;

/**
 * An adapter of the registry.
 *
 * @param sha256 over the sorted list of its files and their hashes
 * @param gate every number of the gate and its verdict; {@code null} for one that was imported
 * @param passed whether the gate let it through; only then can it be promoted
 * @param aliases {@code champion}, {@code candidate}, {@code shadow}
 */
public record RegisteredAdapter(
    String id,
    String sha256,
    String baseModelHash,
    UUID runId,
    String datasetHash,
    JsonNode gate,
    boolean passed,
    Set<String> aliases,
    Instant createdAt) {}
