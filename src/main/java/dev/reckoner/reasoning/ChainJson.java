package dev.reckoner.reasoning;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The JSON form of a chain.
 *
 * <p>A figure is an object of {@code digits} (as published), {@code value} (the same as a plain
 * decimal string: JSON numbers are doubles in too many readers), {@code unit} and {@code scale}.
 * {@code value} is there for consumers; reading goes by {@code digits}, and refuses a {@code value}
 * that says something else.
 */
final class ChainJson {

  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  private ChainJson() {}

  static ObjectNode write(Chain chain) {
    ObjectNode root = JSON.objectNode();
    ArrayNode steps = root.putArray("steps");
    for (Step step : chain.steps()) {
      steps.add(write(step));
    }
    return root;
  }

  private static ObjectNode write(Step step) {
    ObjectNode node = JSON.objectNode();
    switch (step) {
      case Step.Cite cite -> {
        node.put("step", "cite").put("name", cite.name());
        if (!cite.label().isEmpty()) {
          node.put("label", cite.label());
        }
        node.set("figure", figure(cite.figure()));
        node.put("place", cite.place().address());
      }
      case Step.Compute compute -> {
        node.put("step", "compute").put("name", compute.name());
        node.put("expression", compute.expression());
        node.set("result", outcome(compute.result()));
      }
      case Step.Infer infer -> {
        ArrayNode premises = node.put("step", "infer").putArray("premises");
        infer.premises().forEach(premises::add);
        node.put("sentence", infer.sentence());
      }
      case Step.Conclude conclude -> {
        node.put("step", "conclude");
        if (conclude.of() != null) {
          node.put("of", conclude.of());
        }
        node.set("answer", outcome(conclude.answer()));
        if (conclude.stance() != null) {
          ArrayNode flags = node.put("stance", conclude.stance().text()).putArray("flags");
          conclude.flags().forEach(f -> flags.add(f.text()));
        }
      }
    }
    return node;
  }

  private static ObjectNode figure(Figure figure) {
    return JSON.objectNode()
        .put("digits", figure.digits())
        .put("value", figure.value().toPlainString())
        .put("unit", figure.unit().text())
        .put("scale", figure.scale().text());
  }

  private static JsonNode outcome(Outcome outcome) {
    return switch (outcome) {
      case Figure figure -> figure(figure);
      case Outcome.Word word -> JSON.textNode(word.text());
    };
  }

  static Chain read(JsonNode json) throws ChainSyntaxException {
    JsonNode list = json.path("steps");
    if (!list.isArray() || list.isEmpty() || list.size() > Chain.MAX_LINES) {
      throw new ChainSyntaxException(1, 1, "'steps' must be a list of 1 to " + Chain.MAX_LINES);
    }
    List<Step> steps = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (JsonNode node : list) {
      try {
        Step step = step(node);
        if (step.name() != null && !names.add(step.name())) {
          throw new IllegalArgumentException("a step named " + step.name() + " exists already");
        }
        if (!steps.isEmpty() && steps.getLast() instanceof Step.Conclude) {
          throw new IllegalArgumentException("nothing may follow the conclusion");
        }
        // What the text form cannot say, the JSON form must not say either.
        steps.add(Chain.parseLine(step.text(), steps.size() + 1));
      } catch (IllegalArgumentException e) {
        throw new ChainSyntaxException(steps.size() + 1, 1, e.getMessage());
      }
    }
    return new Chain(steps);
  }

  private static Step step(JsonNode node) {
    return switch (text(node, "step")) {
      case "cite" ->
          new Step.Cite(
              text(node, "name"),
              node.has("label") ? text(node, "label") : "",
              readFigure(node.path("figure")),
              Place.parse(text(node, "place")));
      case "compute" ->
          new Step.Compute(
              text(node, "name"), text(node, "expression"), readOutcome(node.path("result")));
      case "infer" -> new Step.Infer(texts(node, "premises"), text(node, "sentence"));
      case "conclude" ->
          new Step.Conclude(
              node.has("of") ? text(node, "of") : null,
              readOutcome(node.path("answer")),
              node.has("stance") ? Stance.parse(text(node, "stance")) : null,
              node.has("flags")
                  ? texts(node, "flags").stream().map(Flag::parse).toList()
                  : List.of());
      default -> throw new IllegalArgumentException("not a step: " + text(node, "step"));
    };
  }

  private static Figure readFigure(JsonNode node) {
    Figure figure =
        new Figure(
            text(node, "digits"), Unit.parse(text(node, "unit")), Scale.parse(text(node, "scale")));
    if (node.has("value") && !figure.value().toPlainString().equals(text(node, "value"))) {
      throw new IllegalArgumentException(
          "digits say " + figure.digits() + ", value says " + text(node, "value"));
    }
    return figure;
  }

  private static Outcome readOutcome(JsonNode node) {
    return node.isTextual() ? Outcome.parse(node.textValue()) : readFigure(node);
  }

  private static String text(JsonNode node, String field) {
    JsonNode value = node.path(field);
    if (!value.isTextual()) {
      throw new IllegalArgumentException("'" + field + "' must be a text");
    }
    return value.textValue();
  }

  private static List<String> texts(JsonNode node, String field) {
    List<String> all = new ArrayList<>();
    for (JsonNode value : node.path(field)) {
      if (!value.isTextual()) {
        throw new IllegalArgumentException("'" + field + "' must be a list of texts");
      }
      all.add(value.textValue());
    }
    return all;
  }
}
