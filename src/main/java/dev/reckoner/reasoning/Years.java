package dev.reckoner.reasoning;

import java.util.Collection;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The calendar years that an evidence speaks of; a sentence may name them without citing them. */
final class Years {

  private static final Pattern YEAR =
      Pattern.compile("(?<![\\d.,])(?:19[5-9]\\d|20\\d\\d)(?![\\d,]*\\d)");

  private Years() {}

  static Collection<String> of(Evidence evidence) {
    TreeSet<String> years = new TreeSet<>();
    collect(evidence.title(), years);
    collect(evidence.question(), years);
    evidence.sentences().forEach(s -> collect(s, years));
    for (Evidence.Table table : evidence.tables()) {
      collect(table.caption(), years);
      table.rows().forEach(row -> row.forEach(cell -> collect(cell, years)));
    }
    return years;
  }

  private static void collect(String text, TreeSet<String> years) {
    Matcher m = YEAR.matcher(text);
    while (m.find()) {
      years.add(m.group());
    }
  }
}
