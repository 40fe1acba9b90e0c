package dev.reckoner.corpus;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A domain's material for synthetic problems: {@code packs/<id>/synthetic.yaml} (names, line items,
 * noise) and {@code packs/<id>/questions.yaml} (question families). The comments of those files
 * describe their fields.
 */
record SyntheticPack(Vocabulary vocabulary, List<Family> families) {

  private static final Pattern PHRASE = Pattern.compile("\\{=(\\w+)}");

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
      Words words,
      Lists noise,
      Lists sayings,
      Map<String, String> roles) {

    /** {@code roles} is derived: each label's role, by the words of the label. */
    Vocabulary {
      Map<String, String> byWords = new HashMap<>();
      items.forEach(
          (role, item) -> item.labels().forEach(l -> byWords.putIfAbsent(words(l), role)));
      roles = byWords;
    }

    /** The role of a row labelled so; empty where no item is called that. */
    Optional<String> role(String label) {
      return Optional.ofNullable(roles.get(words(label)));
    }

    private static String words(String label) {
      return label.toLowerCase(Locale.ROOT).replaceAll("[^a-z]+", " ").strip();
    }

    /** Whether only held-out problems may name a row so. */
    boolean reserved(String label) {
      return items.values().stream()
          .flatMap(i -> i.heldOut().stream())
          .anyMatch(label::equalsIgnoreCase);
    }
  }

  record Companies(
      List<String> first,
      List<String> middle,
      List<String> last,
      List<String> heldOutLast,
      List<String> forms) {}

  /** What made-up labels consist of. */
  record Words(List<String> adjective, List<String> noun, List<String> syllable) {}

  /** A list with the part that only held-out problems use. */
  record Lists(List<String> train, List<String> heldOut) {}

  record Item(String kind, int good, List<String> labels, List<String> heldOut) {

    Item {
      labels = labels.stream().flatMap(label -> Wording.all(label).stream()).distinct().toList();
    }

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
      boolean consecutive,
      List<Integer> constant,
      List<String> cites,
      List<String> computes,
      String conclude,
      String stance,
      FlagRule flag,
      Inference infer,
      List<String> ask,
      List<String> down,
      List<String> heldOut,
      List<String> rare) {

    Family {
      weight = weight == null ? 1 : weight;
      on = on == null ? List.of("statement", "breakdown") : List.copyOf(on);
      constant = constant == null ? List.of() : List.copyOf(constant);
      down = down == null ? List.of() : List.copyOf(down);
      heldOut = heldOut == null ? List.of() : List.copyOf(heldOut);
      rare = rare == null ? List.of() : List.copyOf(rare);
    }
  }

  record FlagRule(@JsonProperty Double below, @JsonProperty Double above, String name) {

    boolean raised(double value) {
      return below != null && value < below || above != null && value > above;
    }
  }

  record Inference(List<String> up, List<String> down) {}

  private record Questions(Map<String, String> phrases, List<Family> families) {

    Questions {
      phrases = phrases == null ? Map.of() : phrases;
    }
  }

  /**
   * Reads a pack from the class path.
   *
   * @throws IllegalArgumentException if a file is missing or malformed
   */
  static SyntheticPack load(String id) {
    return load(id, "questions.yaml");
  }

  /**
   * The pack with the question families of its house convention, {@code house.yaml}, in place of
   * those that train. Held-out problems name rows as lessons do: what they measure is the
   * convention, not unknown labels.
   *
   * @throws IllegalArgumentException if a file is missing or malformed
   */
  static SyntheticPack house(String id) {
    SyntheticPack pack = load(id, "house.yaml");
    Vocabulary all = pack.vocabulary();
    Map<String, Item> items = new LinkedHashMap<>();
    all.items()
        .forEach(
            (role, item) ->
                items.put(role, new Item(item.kind(), item.good(), item.labels(), item.labels())));
    return new SyntheticPack(
        new Vocabulary(
            all.companies(),
            items,
            all.segments(),
            all.generic(),
            all.words(),
            all.noise(),
            all.sayings(),
            null),
        pack.families());
  }

  /** The same vocabulary with some of the families only. */
  SyntheticPack only(Predicate<Family> wanted) {
    return new SyntheticPack(vocabulary, families.stream().filter(wanted).toList());
  }

  /** These families and those of another. */
  SyntheticPack with(SyntheticPack other) {
    List<Family> all = new ArrayList<>(families);
    all.addAll(other.families);
    return new SyntheticPack(vocabulary, all);
  }

  /** The pack with the question families of another file of its folder. */
  static SyntheticPack load(String id, String questions) {
    String folder = "packs/" + id + "/";
    return new SyntheticPack(
        read(folder + "synthetic.yaml", Vocabulary.class),
        families(read(folder + questions, Questions.class)));
  }

  /** The families with their phrases written out. */
  private static List<Family> families(Questions questions) {
    Map<String, String> phrases = phrases(questions.phrases());
    return questions.families().stream()
        .map(
            f ->
                new Family(
                    f.id(),
                    f.weight(),
                    f.bind(),
                    f.on(),
                    f.periods(),
                    f.consecutive(),
                    f.constant(),
                    f.cites(),
                    f.computes(),
                    f.conclude(),
                    f.stance(),
                    f.flag(),
                    f.infer(),
                    f.ask().stream().map(ask -> written(ask, phrases)).toList(),
                    f.down().stream().map(ask -> written(ask, phrases)).toList(),
                    f.heldOut(),
                    f.rare()))
        .toList();
  }

  /** Phrases with those above them written out. */
  static Map<String, String> phrases(Map<String, String> phrases) {
    Map<String, String> written = new LinkedHashMap<>();
    phrases.forEach((name, text) -> written.put(name, written(text, written)));
    return written;
  }

  /** A wording with its phrases written out. */
  static String written(String wording, Map<String, String> phrases) {
    return PHRASE
        .matcher(wording)
        .replaceAll(
            match -> {
              String phrase = phrases.get(match.group(1));
              if (phrase == null) {
                throw new IllegalArgumentException("no phrase " + match.group() + ": " + wording);
              }
              return Matcher.quoteReplacement(phrase);
            });
  }

  static <T> T read(String resource, Class<T> type) {
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
