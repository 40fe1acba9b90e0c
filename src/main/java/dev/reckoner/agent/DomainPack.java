package dev.reckoner.agent;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import com.networknt.schema.ValidationMessage;
import dev.reckoner.reasoning.Evidence;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A domain as data: which event types there are, the JSON Schema of each payload, and how a payload
 * becomes {@link Evidence}.
 *
 * <p>A pack is a folder of resources, {@code packs/<id>/}, with a {@code pack.yaml} and the schemas
 * it names; adding a domain or an event type needs no Java. The templates of {@code pack.yaml} are
 * described at the head of the finance pack's.
 */
public final class DomainPack {

  private static final int MAX_PROBLEMS = 10;

  private final Definition definition;
  private final Map<String, EventType> types = new LinkedHashMap<>();
  private final Map<String, JsonSchema> schemas = new LinkedHashMap<>();

  private DomainPack(Definition definition, String folder) {
    this.definition = definition;
    JsonSchemaFactory factory = JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012);
    for (EventType type : definition.types()) {
      types.put(type.type(), type);
      try (InputStream in = open(folder + "schemas/" + type.schema())) {
        schemas.put(type.type(), factory.getSchema(in));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /**
   * Reads the pack {@code packs/<id>/} from the class path.
   *
   * @throws IllegalArgumentException if there is no such pack or it is malformed
   */
  public static DomainPack load(String id) {
    String folder = "packs/" + id + "/";
    try (InputStream in = open(folder + "pack.yaml")) {
      return new DomainPack(new YAMLMapper().readValue(in, Definition.class), folder);
    } catch (IOException e) {
      throw new IllegalArgumentException(folder + "pack.yaml: " + e.getMessage(), e);
    }
  }

  private static InputStream open(String resource) {
    InputStream in = DomainPack.class.getClassLoader().getResourceAsStream(resource);
    if (in == null) {
      throw new IllegalArgumentException("no resource " + resource + " on the class path");
    }
    return in;
  }

  public String id() {
    return definition.id();
  }

  public int version() {
    return definition.version();
  }

  /** The CloudEvents types that this pack understands, in the order of its file. */
  public Set<String> eventTypes() {
    return Set.copyOf(types.keySet());
  }

  /**
   * What is wrong with an event, one sentence a problem; empty if it can be analysed.
   *
   * @param event an event of any type; an unknown type is a problem
   */
  public List<String> validate(FinancialEvent event) {
    JsonSchema schema = schemas.get(event.type());
    if (schema == null) {
      return List.of(
          "unknown event type "
              + event.type()
              + "; this pack reads "
              + String.join(", ", types.keySet()));
    }
    if (event.data() == null || event.data().isNull()) {
      return List.of("the event has no data");
    }
    List<String> problems =
        schema.validate(event.data()).stream()
            .map(ValidationMessage::getMessage)
            .sorted()
            .limit(MAX_PROBLEMS)
            .toList();
    if (!problems.isEmpty()) {
      return problems;
    }
    try {
      evidence(event);
      return List.of();
    } catch (IllegalArgumentException e) {
      return List.of(e.getMessage());
    }
  }

  /**
   * The evidence of a valid event.
   *
   * @throws IllegalArgumentException if the type is unknown or the payload lacks what its templates
   *     need
   */
  public Evidence evidence(FinancialEvent event) {
    EventType type = types.get(event.type());
    if (type == null) {
      throw new IllegalArgumentException("unknown event type " + event.type());
    }
    JsonNode data = event.data();
    List<Evidence.Table> tables = new ArrayList<>();
    for (TableTemplate table : type.tables()) {
      tables.add(table(table, data));
    }
    if (type.verbatim() != null) {
      for (JsonNode table : data.at(type.verbatim())) {
        List<List<String>> rows = new ArrayList<>();
        for (JsonNode row : table.path("rows")) {
          rows.add(texts(row));
        }
        tables.add(new Evidence.Table(table.path("caption").asText(""), rows));
      }
    }
    JsonNode asked = data.path("question");
    String question =
        asked.isTextual() ? asked.asText() : PackTemplate.fill(type.question(), data, data);
    return new Evidence(
        PackTemplate.fill(type.title(), data, data),
        question,
        tables,
        type.sentences() == null ? List.of() : texts(data.at(type.sentences())));
  }

  private static Evidence.Table table(TableTemplate template, JsonNode data) {
    List<List<String>> rows = new ArrayList<>();
    List<String> header = new ArrayList<>();
    for (Column column : template.columns()) {
      if (column.each() != null) {
        header.addAll(texts(data.at(column.each())));
      } else {
        header.add(PackTemplate.fill(column.header(), data, data));
      }
    }
    rows.add(header);
    for (JsonNode element : data.at(template.rows())) {
      List<String> row = new ArrayList<>();
      for (Column column : template.columns()) {
        if (column.each() == null) {
          row.add(PackTemplate.fill(column.cell(), element, data));
          continue;
        }
        List<String> values = texts(element.at(column.values()));
        int wanted = data.at(column.each()).size();
        if (values.size() != wanted) {
          throw new IllegalArgumentException(
              "row '%s' has %d values for %d columns"
                  .formatted(row.getFirst(), values.size(), wanted));
        }
        row.addAll(values);
      }
      rows.add(row);
    }
    return new Evidence.Table(
        PackTemplate.fill(template.caption(), data, data), withoutEmptyColumns(rows));
  }

  /** Drops the columns that no row fills, such as a consensus that nobody gave. */
  private static List<List<String>> withoutEmptyColumns(List<List<String>> rows) {
    List<Integer> kept = new ArrayList<>();
    for (int c = 0; c < rows.getFirst().size(); c++) {
      int column = c;
      if (c == 0 || rows.stream().skip(1).anyMatch(row -> !row.get(column).isEmpty())) {
        kept.add(c);
      }
    }
    return rows.stream().map(row -> kept.stream().map(row::get).toList()).toList();
  }

  private static List<String> texts(JsonNode array) {
    List<String> texts = new ArrayList<>();
    for (JsonNode node : array) {
      texts.add(PackTemplate.text(node));
    }
    return texts;
  }

  private record Definition(String id, int version, String name, List<EventType> types) {}

  private record EventType(
      String type,
      String schema,
      String title,
      String question,
      List<TableTemplate> tables,
      JsonPointer verbatim,
      JsonPointer sentences) {
    EventType {
      tables = tables == null ? List.of() : List.copyOf(tables);
    }
  }

  private record TableTemplate(String caption, JsonPointer rows, List<Column> columns) {}

  /** Either one column ({@code header}, {@code cell}) or one for each element of {@code each}. */
  private record Column(
      @JsonProperty String header,
      @JsonProperty String cell,
      @JsonProperty JsonPointer each,
      @JsonProperty JsonPointer values) {}
}
