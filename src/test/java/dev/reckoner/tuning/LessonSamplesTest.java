package dev.reckoner.tuning;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.corpus.Lesson;
import dev.reckoner.gemma.GemmaTokenizer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class LessonSamplesTest {

  private static final String CHAIN =
      """
      cite a = 9,896 USD million @ r1c1
      cite b = 8,181 USD million @ r1c2
      compute c = (a - b) / b as % = 20.9632 %
      infer c : Sales = volume grew.
      conclude c = 20.9632 % ; stance positive ; flags none\
      """;

  private static final Lesson LESSON =
      new Lesson(
          "id",
          "group",
          "test",
          "Answer.",
          "# Page\nr0 |2008|2007\nr1 Sales|9,896|8,181\nq! What grew?",
          CHAIN,
          List.of(new Lesson.Turn("q Was it more?", "compute a = 2 > 1 = yes\nconclude a = yes")));

  private static String learned(Sample sample, GemmaTokenizer tokenizer) {
    StringBuilder text = new StringBuilder();
    for (int t = 0; t < sample.length(); t++) {
      if (sample.supervised()[t]) {
        text.append(tokenizer.piece(sample.tokens()[t]));
      }
    }
    return text.toString();
  }

  private static GemmaTokenizer tokenizer() {
    return GemmaTokenizer.read(Path.of("src/main/resources/model"));
  }

  @Test
  void chainsAreLearnedWithoutWhatTheCalculatorWrites() {
    try (GemmaTokenizer tokenizer = tokenizer()) {
      assertThat(learned(new LessonSamples(tokenizer, 0).of(LESSON), tokenizer))
          .isEqualToIgnoringWhitespace(
              """
              cite a = 9,896 USD million @ r1c1
              cite b = 8,181 USD million @ r1c2
              compute c = (a - b) / b as % =
              infer c : Sales = volume grew.
              conclude c = ; stance positive ; flags none
              compute a = 2 > 1 =
              conclude a =\
              """);
    }
  }

  @Test
  void ofSomeLessonsTheEvidenceIsReadAsWell() {
    try (GemmaTokenizer tokenizer = tokenizer()) {
      assertThat(learned(new LessonSamples(tokenizer, 100).of(LESSON), tokenizer))
          .contains("Answer.", "r1 Sales|9,896|8,181", "What grew?", "Was it more?")
          .doesNotContain("20.9632");
    }
  }
}
