package dev.reckoner.agent;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Text with JSON Pointers in braces; a part in square brackets vanishes when a pointer misses. */
final class PackTemplate {

  private static final Pattern OPTIONAL = Pattern.compile("\\[([^\\[\\]]*)]");
  private static final Pattern POINTER = Pattern.compile("\\{(/[^{}]*)}");

  private PackTemplate() {}

  /**
   * Fills a template.
   *
   * @param node where a pointer is looked up first, such as a table row's element
   * @param root where it is looked up next
   * @throws IllegalArgumentException if a pointer outside square brackets finds nothing
   */
  static String fill(String template, JsonNode node, JsonNode root) {
    StringBuilder out = new StringBuilder();
    Matcher optional = OPTIONAL.matcher(template);
    int from = 0;
    while (optional.find()) {
      out.append(required(template.substring(from, optional.start()), node, root));
      String filled = substitute(optional.group(1), node, root);
      out.append(filled == null ? "" : filled);
      from = optional.end();
    }
    return out.append(required(template.substring(from), node, root)).toString().strip();
  }

  private static String required(String part, JsonNode node, JsonNode root) {
    String filled = substitute(part, node, root);
    if (filled == null) {
      throw new IllegalArgumentException("the event lacks a field that this needs: " + part);
    }
    return filled;
  }

  /** The part with its pointers replaced, or null if one finds nothing. */
  private static String substitute(String part, JsonNode node, JsonNode root) {
    Matcher pointer = POINTER.matcher(part);
    StringBuilder out = new StringBuilder();
    while (pointer.find()) {
      JsonNode found = node.at(pointer.group(1));
      if (found.isMissingNode()) {
        found = root.at(pointer.group(1));
      }
      if (found.isMissingNode() || found.isNull()) {
        return null;
      }
      pointer.appendReplacement(out, Matcher.quoteReplacement(text(found)));
    }
    return pointer.appendTail(out).toString();
  }

  /** A JSON value as published: numbers without an exponent. */
  static String text(JsonNode value) {
    return value.isNumber() ? value.decimalValue().toPlainString() : value.asText();
  }
}
