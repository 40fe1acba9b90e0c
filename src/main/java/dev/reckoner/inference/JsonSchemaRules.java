package dev.reckoner.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.reckoner.reasoning.TextConstraint;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * Decoding rules from a JSON Schema, so that what a model writes is valid by construction.
 *
 * <p>The JSON is compact (no white space) and an object's properties come in the order of the
 * schema, optional ones may be left out, others are never added. Supported: {@code type} (also a
 * list of types), {@code properties}, {@code required}, {@code items}, {@code minItems}, {@code
 * maxItems}, {@code minLength}, {@code maxLength}, {@code enum}, {@code const}, {@code anyOf},
 * {@code oneOf}, {@code $ref} to {@code $defs} or {@code definitions}; an empty schema is any JSON
 * value. Numbers have no exponent. A keyword that restricts values in another way is refused, for
 * otherwise the output could break it.
 */
public final class JsonSchemaRules {

  private static final Set<String> SUPPORTED =
      Set.of(
          "type",
          "properties",
          "required",
          "items",
          "minItems",
          "maxItems",
          "minLength",
          "maxLength",
          "enum",
          "const",
          "anyOf",
          "oneOf",
          "$ref",
          "$defs",
          "definitions",
          "additionalProperties",
          // annotations
          "$schema",
          "$id",
          "$comment",
          "title",
          "description",
          "default",
          "examples");

  private final Map<String, Rule> definitions = new HashMap<>();

  private JsonSchemaRules() {}

  /**
   * A constraint that only lets JSON valid against {@code schema} through.
   *
   * @throws IllegalArgumentException for a schema with an unsupported keyword, naming it
   */
  public static TextConstraint constraint(JsonNode schema) {
    return new GrammarConstraint(
        rule(schema), "json-schema:" + DigestUtils.sha256Hex(schema.toString()));
  }

  /**
   * The same as a rule, to stand within others.
   *
   * @throws IllegalArgumentException for a schema with an unsupported keyword, naming it
   */
  public static Rule rule(JsonNode schema) {
    JsonSchemaRules rules = new JsonSchemaRules();
    for (String keyword : List.of("$defs", "definitions")) {
      schema
          .path(keyword)
          .properties()
          .forEach(
              entry ->
                  rules.definitions.put(
                      "#/" + keyword + "/" + entry.getKey(), rules.of(entry.getValue())));
    }
    rules.definitions.put("#", rules.of(schema));
    return rules.definitions.get("#");
  }

  private Rule of(JsonNode schema) {
    if (schema.isBoolean() && schema.booleanValue()) {
      return any();
    }
    if (!schema.isObject()) {
      throw new IllegalArgumentException("not a JSON Schema: " + schema);
    }
    schema
        .fieldNames()
        .forEachRemaining(
            keyword -> {
              if (!SUPPORTED.contains(keyword)) {
                throw new IllegalArgumentException(
                    "the JSON Schema keyword \"" + keyword + "\" cannot be decoded");
              }
            });
    if (schema.has("$ref")) {
      String name = schema.get("$ref").asText();
      return Rule.reference(
          () -> {
            Rule target = definitions.get(name);
            if (target == null) {
              throw new IllegalArgumentException("the JSON Schema has no definition " + name);
            }
            return target;
          });
    }
    if (schema.has("const")) {
      return Rule.literal(schema.get("const").toString());
    }
    if (schema.has("enum")) {
      return oneOf(schema.get("enum"), value -> Rule.literal(value.toString()));
    }
    for (String keyword : List.of("anyOf", "oneOf")) {
      if (schema.has(keyword)) {
        return oneOf(schema.get(keyword), this::of);
      }
    }
    JsonNode type = schema.path("type");
    if (type.isArray()) {
      return oneOf(type, name -> ofType(name.asText(), schema));
    }
    if (type.isMissingNode()) {
      return schema.has("properties") ? object(schema) : any();
    }
    return ofType(type.asText(), schema);
  }

  private static Rule oneOf(JsonNode list, java.util.function.Function<JsonNode, Rule> rule) {
    List<Rule> alternatives = new ArrayList<>();
    list.forEach(item -> alternatives.add(rule.apply(item)));
    if (alternatives.isEmpty()) {
      throw new IllegalArgumentException("a JSON Schema with an empty list of choices");
    }
    return alternatives.size() == 1 ? alternatives.getFirst() : Rule.oneOf(alternatives);
  }

  private Rule ofType(String type, JsonNode schema) {
    return switch (type) {
      case "object" -> object(schema);
      case "array" ->
          Rule.sequence(
              Rule.literal("["),
              Rule.repeat(
                  schema.has("items") ? of(schema.get("items")) : any(),
                  ",",
                  schema.path("minItems").asInt(0),
                  schema.path("maxItems").asInt(Integer.MAX_VALUE)),
              Rule.literal("]"));
      case "string" ->
          Rule.jsonString(
              schema.path("minLength").asInt(0), schema.path("maxLength").asInt(Integer.MAX_VALUE));
      case "number" -> Rule.jsonNumber();
      case "integer" -> Rule.jsonInteger();
      case "boolean" -> Rule.oneOf(List.of(Rule.literal("true"), Rule.literal("false")));
      case "null" -> Rule.literal("null");
      default -> throw new IllegalArgumentException("unknown JSON Schema type: " + type);
    };
  }

  private Rule object(JsonNode schema) {
    if (!schema.has("properties")) {
      return schema.path("additionalProperties").isBoolean()
              && !schema.get("additionalProperties").booleanValue()
          ? Rule.literal("{}")
          : anyObject();
    }
    Set<String> required = new java.util.HashSet<>();
    schema.path("required").forEach(name -> required.add(name.asText()));
    List<Map.Entry<String, JsonNode>> properties =
        new ArrayList<>(schema.get("properties").properties());
    // From the last property back: what may follow when one was already written, and when none was.
    Rule afterOne = Rule.literal("}");
    Rule afterNone = Rule.literal("}");
    for (Map.Entry<String, JsonNode> property : properties.reversed()) {
      Rule value = of(property.getValue());
      String name = com.fasterxml.jackson.databind.node.TextNode.valueOf(property.getKey()) + ":";
      Rule written = Rule.sequence(Rule.literal("," + name), value, afterOne);
      Rule first = Rule.sequence(Rule.literal(name), value, afterOne);
      boolean optional = !required.contains(property.getKey());
      afterNone = optional ? Rule.oneOf(List.of(first, afterNone)) : first;
      afterOne = optional ? Rule.oneOf(List.of(written, afterOne)) : written;
    }
    return Rule.sequence(Rule.literal("{"), afterNone);
  }

  private static Rule any() {
    return Rule.oneOf(
        List.of(
            Rule.jsonString(0, Integer.MAX_VALUE),
            Rule.jsonNumber(),
            Rule.literal("true"),
            Rule.literal("false"),
            Rule.literal("null"),
            Rule.sequence(
                Rule.literal("["),
                Rule.repeat(Rule.reference(JsonSchemaRules::any), ",", 0, Integer.MAX_VALUE),
                Rule.literal("]")),
            anyObject()));
  }

  private static Rule anyObject() {
    Rule member =
        Rule.sequence(
            Rule.jsonString(0, Integer.MAX_VALUE),
            Rule.literal(":"),
            Rule.reference(JsonSchemaRules::any));
    return Rule.sequence(
        Rule.literal("{"), Rule.repeat(member, ",", 0, Integer.MAX_VALUE), Rule.literal("}"));
  }
}
