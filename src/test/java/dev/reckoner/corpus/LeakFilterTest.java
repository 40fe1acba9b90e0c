package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LeakFilterTest {

  private static Problem problem(String group, String note, int changed) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("in millions", "2008", "2007"));
    for (int r = 0; r < 20; r++) {
      int figure = r < changed ? 900 + r : 100 + 7 * r;
      rows.add(List.of("item " + (char) ('a' + r), String.valueOf(figure), String.valueOf(3 * r)));
    }
    return new Problem(
        group + "-1",
        group,
        "finqa",
        new Evidence(
            group, "what is item a?", List.of(new Evidence.Table("", rows)), List.of(note)),
        null,
        null,
        Support.UNKNOWN);
  }

  private static Lesson lesson(Problem problem) {
    return new Lesson(
        problem.id(),
        problem.group(),
        "finqa",
        "",
        new PromptFormat().render(problem.evidence()).replace("item a?", "item b?"),
        "conclude not stated");
  }

  @Test
  void pagesOfTheSameFilingAndNearCopiesOfAPageAreLeftOut() {
    LeakFilter filter = new LeakFilter();
    filter.holdOut(List.of(problem("V/2008/page_17.pdf", "as stated in the notes .", 0)));
    Lesson sameFiling = lesson(problem("V/2008/page_90.pdf", "another page of it altogether", 20));
    Lesson nearCopy = lesson(problem("V/2009/page_18.pdf", "as stated in the notes .", 3));
    Lesson other = lesson(problem("W/2008/page_17.pdf", "nothing alike here , and more", 20));

    assertThat(filter.filter(List.of(sameFiling, nearCopy, other))).containsExactly(other);
    assertThat(filter.leaksByReason())
        .containsEntry("the same issuer and year", 1)
        .containsEntry("a page nearly the same", 1);
  }

  @Test
  void whatOnlySharesIssuerAndYearWithAHeldOutPageIsSetAsideToChooseBy() {
    LeakFilter filter = new LeakFilter();
    Problem held = problem("V/2008/page_17.pdf", "as stated in the notes .", 0);
    filter.holdOut(List.of(held));
    Problem sameFiling = problem("V/2008/page_90.pdf", "another page of it altogether", 20);
    Problem nearCopy = problem("V/2008/page_18.pdf", "as stated in the notes .", 3);
    Problem other = problem("W/2008/page_17.pdf", "nothing alike here , and more", 20);

    assertThat(filter.setAside(List.of(held, sameFiling, nearCopy, other)))
        .containsExactly(sameFiling);
  }
}
