package dev.reckoner.corpus;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;

/**
 * A domain's material for synthetic problems: {@code packs/<id>/synthetic.yaml} (names, line items,
 * noise) and {@code packs/<id>/questions.yaml} (question families). The comments of those files
 * describe their fields.
 */
record SyntheticPack(Vocabulary vocabulary, List<Family> families) {

  /** What a series of figures counts. */
  enum Kind {
    MONEY,
    PER_SHARE,
    COUNT,
    PERCENT,
    INDEX
  }

  record Vocabulary(
      Companies companies,
      Map<String, Item> items,
      Lists segments,
      Lists generic,
      Lists noise,
      Lists sayings) {}

  record Companies(
      List<String> first,
      List<String> middle,
      List<String> last,
      List<String> heldOutLast,
      List<String> forms) {}

  /** A list with the part that only held-out problems use. */
  record Lists(List<String> train, List<String> heldOut) {}

  record Item(String kind, int good, List<String> labels, List<String> heldOut) {

    Kind kindOf() {
      return switch (kind) {
        case "money" -> Kind.MONEY;
        case "perShare" -> Kind.PER_SHARE;
        case "count" -> Kind.COUNT;
        case "percent" -> Kind.PERCENT;
        default -> throw new IllegalArgumentException("unknown kind of item: " + kind);
      };
    }
  }

  record Family(
      String id,
      Integer weight,
      Map<String, String> bind,
      List<String> on,
      int periods,
      List<Integer> constant,
      List<String> cites,
      List<String> computes,
      String conclude,
      String stance,
      FlagRule flag,
      Inference infer,
      List<String> ask,
      List<String> down,
      List<String> heldOut) {

    Family {
      weight = weight == null ? 1 : weight;
      on = on == null ? List.of("statement", "breakdown") : List.copyOf(on);
      constant = constant == null ? List.of() : List.copyOf(constant);
      down = down == null ? List.of() : List.copyOf(down);
    }
  }

  record FlagRule(@JsonProperty Double below, @JsonProperty Double above, String name) {

    boolean raised(double value) {
      return below != null && value < below || above != null && value > above;
    }
  }

  record Inference(List<String> up, List<String> down) {}

  private record Questions(List<Family> families) {}

  /**
   * Reads a pack from the class path.
   *
   * @throws IllegalArgumentException if a file is missing or malformed
   */
  static SyntheticPack load(String id) {
    String folder = "packs/" + id + "/";
    return new SyntheticPack(
        read(folder + "synthetic.yaml", Vocabulary.class),
        read(folder + "questions.yaml", Questions.class).families());
  }

  private static <T> T read(String resource, Class<T> type) {
    try (InputStream in = SyntheticPack.class.getClassLoader().getResourceAsStream(resource)) {
      if (in == null) {
        throw new IllegalArgumentException("no resource " + resource + " on the class path");
      }
      return new YAMLMapper().readValue(in, type);
    } catch (IOException e) {
      throw new IllegalArgumentException(resource + ": " + e.getMessage(), e);
    }
  }
}
