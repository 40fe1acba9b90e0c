package dev.reckoner.improve;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.util.Map;
import java.util.TreeMap;

/**
 * JSON with one spelling, so that equal content has equal bytes: keys sorted, no white space,
 * instants as ISO-8601 text. It is what the ledger and the dataset snapshots hash.
 */
final class CanonicalJson {

  static final JsonMapper MAPPER =
      JsonMapper.builder()
          .addModule(new JavaTimeModule())
          .enable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
          .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
          .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
          .disable(SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
          .build();

  private CanonicalJson() {}

  /** The canonical text of a record, map, list or JSON tree. */
  static String write(Object value) {
    try {
      // Through a plain tree of maps: a JsonNode keeps its own key order otherwise.
      JsonNode tree = MAPPER.valueToTree(value);
      return MAPPER.writeValueAsString(sorted(tree));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not representable as JSON: " + e.getOriginalMessage(), e);
    }
  }

  private static Object sorted(JsonNode node) {
    if (node.isObject()) {
      Map<String, Object> object = new TreeMap<>();
      node.properties().forEach(e -> object.put(e.getKey(), sorted(e.getValue())));
      return object;
    }
    if (node.isArray()) {
      return node.valueStream().map(CanonicalJson::sorted).toList();
    }
    return node;
  }
}
