package dev.reckoner.corpus;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.regex.Pattern;

/**
 * Fills wordings: {@code [a|b]} is a choice, which may nest and may have an empty side; {@code {x}}
 * is a slot.
 */
final class Wording {

  private Wording() {}

  /**
   * One of the texts that a wording allows.
   *
   * @throws IllegalArgumentException if brackets do not match or a slot has no value
   */
  static String expand(String wording, Map<String, String> slots, SplittableRandom random) {
    return filled(template(wording, random), slots);
  }

  /**
   * A wording with its choices made, its slots still open.
   *
   * @throws IllegalArgumentException if brackets do not match
   */
  static String template(String wording, SplittableRandom random) {
    StringBuilder out = new StringBuilder();
    int end = choose(wording, 0, out, random);
    if (end != wording.length()) {
      throw new IllegalArgumentException("unbalanced ']' or '|' in: " + wording);
    }
    return out.toString().replaceAll(" {2,}", " ").replaceAll(" +([,.?])", "$1").strip();
  }

  /** Whether some choices make a wording this template. */
  static boolean gives(String wording, String template) {
    StringBuilder pattern = new StringBuilder();
    for (char c : wording.toCharArray()) {
      switch (c) {
        case '[' -> pattern.append("(?:");
        case ']' -> pattern.append(')');
        case '|' -> pattern.append('|');
        case ' ' -> {} // a template has single spaces, and none before a comma
        default -> pattern.append(Pattern.quote(String.valueOf(c)));
      }
    }
    return Pattern.matches(pattern.toString(), template.replace(" ", ""));
  }

  /**
   * A template with its slots filled.
   *
   * @throws IllegalArgumentException if a slot has no value
   */
  static String filled(String template, Map<String, String> slots) {
    StringBuilder out = new StringBuilder();
    int i = 0;
    for (int open = template.indexOf('{'); open >= 0; open = template.indexOf('{', i)) {
      int close = template.indexOf('}', open);
      String name = template.substring(open + 1, close);
      String value = slots.get(name);
      if (value == null) {
        throw new IllegalArgumentException("no value for {" + name + "} in: " + template);
      }
      out.append(template, i, open).append(value);
      i = close + 1;
    }
    return out.append(template.substring(i)).toString();
  }

  /** Every text that a wording without slots allows. */
  static List<String> all(String wording) {
    int open = wording.indexOf('[');
    if (open < 0) {
      return List.of(wording.replaceAll(" {2,}", " ").strip());
    }
    List<String> sides = new ArrayList<>();
    int i = open;
    do {
      int start = i + 1;
      i = sideEnd(wording, start);
      sides.add(wording.substring(start, i));
    } while (wording.charAt(i) == '|');
    String rest = wording.substring(i + 1);
    List<String> texts = new ArrayList<>();
    for (String side : sides) {
      texts.addAll(all(wording.substring(0, open) + side + rest));
    }
    return texts;
  }

  /** One entry of a list. */
  static <T> T pick(List<T> list, SplittableRandom random) {
    return list.get(random.nextInt(list.size()));
  }

  /** Chooses up to the end, or to the {@code |} or {@code ]} of the choice it stands in. */
  private static int choose(String wording, int from, StringBuilder out, SplittableRandom random) {
    int i = from;
    while (i < wording.length()) {
      char c = wording.charAt(i);
      if (c == '[') {
        List<String> sides = new ArrayList<>();
        do {
          int start = i + 1;
          i = sideEnd(wording, start);
          sides.add(wording.substring(start, i));
        } while (wording.charAt(i) == '|');
        i++;
        choose(pick(sides, random), 0, out, random);
      } else if (c == ']') {
        return i;
      } else {
        out.append(c);
        i++;
      }
    }
    return i;
  }

  /** Where the side of a choice that begins at {@code from} ends: its {@code |} or {@code ]}. */
  private static int sideEnd(String wording, int from) {
    int depth = 0;
    for (int i = from; i < wording.length(); i++) {
      char c = wording.charAt(i);
      if (depth == 0 && (c == '|' || c == ']')) {
        return i;
      }
      depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    }
    throw new IllegalArgumentException("a '[' is never closed in: " + wording);
  }
}
