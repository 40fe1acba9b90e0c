package dev.reckoner.corpus;

import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Takes out of training material what occurs twice, and what gives a held-out problem away: its
 * page, its very text, another page of the same issuer and year, or a page that is nearly the same
 * (as last year's often is), see {@link PageRuns}.
 */
public final class LeakFilter {

  /** From this similarity on pages are nearly the same. */
  private static final double ALIKE = 0.4;

  /** FinQA's pages: {@code V/2008/page_17.pdf}. */
  private static final Pattern FILING = Pattern.compile("([^/]+/(?:19|20)\\d\\d)/.*");

  private final Set<String> pages = new HashSet<>();
  private final Set<String> filings = new HashSet<>();
  private final Set<String> evidence = new HashSet<>();
  private final Set<String> seen = new HashSet<>();
  private final PageRuns heldOut = new PageRuns();
  private final Map<String, Boolean> alike = new HashMap<>();
  private final Map<String, Integer> leaks = new TreeMap<>();
  private int duplicates;

  /** Nothing of these may be trained on. */
  public void holdOut(List<Problem> problems) {
    for (Problem problem : problems) {
      String text = new PromptFormat().render(withoutTitle(problem.evidence()));
      pages.add(problem.group());
      filing(problem.group()).ifPresent(filings::add);
      evidence.add(normal(text));
      if (!problem.origin().contains("/")) {
        heldOut.add(text);
      }
    }
  }

  private static Evidence withoutTitle(Evidence evidence) {
    return new Evidence("", evidence.question(), evidence.tables(), evidence.sentences());
  }

  private static Optional<String> filing(String group) {
    Matcher matcher = FILING.matcher(group);
    return matcher.matches() ? Optional.of(matcher.group(1)) : Optional.empty();
  }

  /** The lessons that may stay, in their order. */
  public List<Lesson> filter(List<Lesson> lessons) {
    Map<String, Lesson> fullest = new HashMap<>();
    for (Lesson lesson : lessons) {
      fullest.merge(
          lesson.group(), lesson, (a, b) -> a.user().length() >= b.user().length() ? a : b);
    }
    List<Lesson> kept = new ArrayList<>();
    for (Lesson lesson : lessons) {
      String text = normal(lesson.user().replaceFirst("^# [^\n]*", "# "));
      Optional<String> leak = leak(lesson, text, fullest.get(lesson.group()));
      if (leak.isPresent()) {
        leaks.merge(leak.get(), 1, Integer::sum);
      } else if (seen.add(text)) {
        kept.add(lesson);
      } else {
        duplicates++;
      }
    }
    return kept;
  }

  /** Of these, those that only share issuer and year with a held-out page: not trained on. */
  public List<Problem> setAside(List<Problem> problems) {
    return problems.stream()
        .filter(problem -> !pages.contains(problem.group()))
        .filter(problem -> filing(problem.group()).filter(filings::contains).isPresent())
        .filter(problem -> heldOut.find(withoutTitle(problem.evidence()), ALIKE).isEmpty())
        .toList();
  }

  private Optional<String> leak(Lesson lesson, String text, Lesson fullest) {
    if (pages.contains(lesson.group())) {
      return Optional.of("the same page");
    }
    if (evidence.contains(text)) {
      return Optional.of("the same text");
    }
    if (filing(lesson.group()).filter(filings::contains).isPresent()) {
      return Optional.of("the same issuer and year");
    }
    return alike.computeIfAbsent(
            lesson.group(), group -> heldOut.find(fullest.user(), ALIKE).isPresent())
        ? Optional.of("a page nearly the same")
        : Optional.empty();
  }

  private static String normal(String text) {
    return text.toLowerCase(Locale.ROOT).replaceAll("\\s+", " ").strip();
  }

  /** Lessons left out because another has the same evidence and question. */
  public int duplicates() {
    return duplicates;
  }

  /** Lessons left out because they give a held-out problem away. */
  public int leaks() {
    return leaks.values().stream().mapToInt(Integer::intValue).sum();
  }

  /** The same by what they share with it. */
  public Map<String, Integer> leaksByReason() {
    return Map.copyOf(leaks);
  }
}
