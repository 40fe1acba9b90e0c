package dev.reckoner.corpus;

import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Takes out of training material what occurs twice, and what shares a page or its very text with a
 * held-out problem.
 */
public final class LeakFilter {

  private final Set<String> pages = new HashSet<>();
  private final Set<String> evidence = new HashSet<>();
  private final Set<String> seen = new HashSet<>();
  private int duplicates;
  private int leaks;

  /** Nothing of these may be trained on. */
  public void holdOut(List<Problem> problems) {
    for (Problem problem : problems) {
      pages.add(problem.group());
      evidence.add(normal(new PromptFormat().render(withoutTitle(problem.evidence()))));
    }
  }

  private static Evidence withoutTitle(Evidence evidence) {
    return new Evidence("", evidence.question(), evidence.tables(), evidence.sentences());
  }

  /** The lessons that may stay, in their order. */
  public List<Lesson> filter(List<Lesson> lessons) {
    List<Lesson> kept = new ArrayList<>();
    for (Lesson lesson : lessons) {
      String text = normal(lesson.user().replaceFirst("^# [^\n]*", "# "));
      if (pages.contains(lesson.group()) || evidence.contains(text)) {
        leaks++;
      } else if (seen.add(text)) {
        kept.add(lesson);
      } else {
        duplicates++;
      }
    }
    return kept;
  }

  private static String normal(String text) {
    return text.toLowerCase(Locale.ROOT).replaceAll("\\s+", " ").strip();
  }

  /** Lessons left out because another has the same evidence and question. */
  public int duplicates() {
    return duplicates;
  }

  /** Lessons left out because a held-out problem has their page or their text. */
  public int leaks() {
    return leaks;
  }
}
