package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.reckoner.reasoning.Evidence;
import java.util.List;
import org.junit.jupiter.api.Test;

class PageRunsTest {

  private static Evidence page(String title, String question, String... words) {
    return new Evidence(title, question, List.of(), List.of(String.join(" ", words)));
  }

  @Test
  void anotherQuestionUnderAnotherTitleIsTheSamePage() {
    PageRuns runs = new PageRuns();
    runs.add(page("Other", "q?", "nothing", "of", "this", "is", "there"));
    runs.add(page("A 2016", "What was x?", "sales", "rose", "to", "$1,200.5", "in", "2016"));
    assertThat(runs.find(page("B", "And y?", "sales rose to $1,200.5 in 2016"), 0.9))
        .contains(new PageRuns.Match(1, 1));
    assertThat(runs.find(page("B", "And y?", "costs fell to $1,300.5 in 2017"), 0.01)).isEmpty();
  }

  @Test
  void similarityIsTheShareOfCommonRuns() {
    PageRuns runs = new PageRuns();
    runs.add(page("", "q", "a b c d e f g"));
    // Runs abcd bcde cdef defg against abcd bcde cdeX deXY: two of six.
    Evidence other = page("", "q", "a b c d e x y");
    assertThat(runs.find(other, 0.3).orElseThrow().similarity()).isCloseTo(2 / 6.0, within(1e-12));
    assertThat(runs.find(other, 0.34)).isEmpty();
  }

  @Test
  void theMostSimilarPageIsNamed() {
    PageRuns runs = new PageRuns();
    runs.add(page("", "q", "a b c d x y z"));
    runs.add(page("", "q", "a b c d e f z"));
    assertThat(runs.find(page("", "q", "a b c d e f g"), 0.1).orElseThrow().number()).isEqualTo(1);
  }

  @Test
  void aPageOfFewWordsIsFoundAndAnEmptyOneIsLikeNone() {
    PageRuns runs = new PageRuns();
    runs.add(page("", "q", "net sales"));
    runs.add(new Evidence("", "q", List.of(), List.of()));
    assertThat(runs.find(page("", "r", "net sales"), 0.8)).contains(new PageRuns.Match(0, 1));
    assertThat(runs.find(new Evidence("", "r", List.of(), List.of()), 0.1)).isEmpty();
  }
}
