package dev.reckoner.corpus;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A domain's conversations: {@code packs/<id>/conversations.yaml}, whose comments describe the
 * fields.
 *
 * @param parts runs of turns by name
 * @param courses turns that ask for the figures of a chain one by one, by its form
 */
record ConversationPack(
    Map<String, List<Node>> parts, List<Talk> talks, Map<String, List<Node>> courses) {

  /**
   * A course of a conversation.
   *
   * @param needs what it needs of a page, see {@link SyntheticPack.Family}; its wordings are empty
   * @param fromFirst whether the first of its periods is the page's first
   */
  record Talk(SyntheticPack.Family needs, boolean fromFirst, List<Node> turns) {}

  /**
   * A turn, or several: {@code say} and {@code value}, or {@code part} with slots renamed by {@code
   * as}, or one of {@code any}.
   *
   * @param maybe in how many percent of the conversations it is there
   * @param percent whether it is stated in percent where the conversation asks for percent
   */
  record Node(
      List<String> say,
      String value,
      boolean percent,
      String part,
      Map<String, String> as,
      List<List<Node>> any,
      Integer maybe) {}

  private record TalkEntry(
      String id,
      Integer weight,
      Map<String, String> bind,
      List<String> on,
      int periods,
      boolean consecutive,
      boolean fromFirst,
      List<Node> turns) {}

  private record Written(
      Map<String, String> phrases,
      Map<String, List<Node>> parts,
      List<TalkEntry> talks,
      Map<String, List<Node>> courses) {}

  /**
   * Reads a pack from the class path.
   *
   * @throws IllegalArgumentException if the file is missing or malformed
   */
  static ConversationPack load(String id) {
    Written written = SyntheticPack.read("packs/" + id + "/conversations.yaml", Written.class);
    Map<String, String> phrases = SyntheticPack.phrases(written.phrases());
    Map<String, List<Node>> parts = new LinkedHashMap<>();
    written.parts().forEach((name, nodes) -> parts.put(name, nodes(nodes, phrases)));
    List<Talk> talks = new ArrayList<>();
    for (TalkEntry entry : written.talks()) {
      SyntheticPack.Family needs =
          new SyntheticPack.Family(
              entry.id(),
              entry.weight(),
              entry.bind(),
              entry.on(),
              entry.periods(),
              entry.consecutive(),
              null,
              List.of(),
              List.of(),
              null,
              null,
              null,
              null,
              List.of(),
              null,
              null,
              null);
      talks.add(new Talk(needs, entry.fromFirst(), nodes(entry.turns(), phrases)));
    }
    Map<String, List<Node>> courses = new LinkedHashMap<>();
    written.courses().forEach((form, nodes) -> courses.put(form, nodes(nodes, phrases)));
    return new ConversationPack(parts, talks, courses);
  }

  private static List<Node> nodes(List<Node> nodes, Map<String, String> phrases) {
    return nodes.stream().map(node -> node(node, phrases)).toList();
  }

  private static Node node(Node node, Map<String, String> phrases) {
    return new Node(
        node.say() == null
            ? List.of()
            : node.say().stream().map(say -> SyntheticPack.written(say, phrases)).toList(),
        node.value(),
        node.percent(),
        node.part(),
        node.as() == null ? Map.of() : node.as(),
        node.any() == null
            ? List.of()
            : node.any().stream().map(run -> nodes(run, phrases)).toList(),
        node.maybe() == null ? 100 : node.maybe());
  }
}
