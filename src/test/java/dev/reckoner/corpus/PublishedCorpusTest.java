package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PublishedCorpusTest {

  @TempDir Path folder;

  /** Pages with the same table and other figures, so that each is a page of its own. */
  private static String pages(int count) {
    return IntStream.range(0, count)
        .mapToObj(
            n ->
                """
                {"id": "T/2008/page_%1$d.pdf-1", "pre_text": ["sales fell .", "costs rose ."], "post_text": [],
                 "table": [["in millions", "2008", "2007"], ["net sales", "%2$d", "81"], ["other income", "5", "6"]],
                 "question": "what was the change in net sales?", "answer": "%3$d", "exe_ans": %3$d.0,
                 "program": "subtract(%2$d, 81)", "gold_inds": {"table_1": "the net sales"}}
                """
                    .formatted(n, 100 + n, 19 + n)
                    .replace("\n", " "))
        .collect(Collectors.joining("\n"));
  }

  private PublishedCorpus corpus() throws IOException {
    Files.createDirectories(folder.resolve("finqa"));
    Files.writeString(folder.resolve("finqa/dev.json"), pages(60));
    return PublishedCorpus.read(folder, 50, 1, "finance");
  }

  @Test
  void aPageIsEitherTrainedOnOrHeldOut() throws IOException {
    PublishedCorpus corpus = corpus();
    Set<String> trained = corpus.lessons().stream().map(Lesson::group).collect(Collectors.toSet());
    List<Problem> held = corpus.heldOut().get("finqa-page");
    Set<String> heldPages = held.stream().map(Problem::group).collect(Collectors.toSet());

    assertThat(trained).isNotEmpty().doesNotContainAnyElementsOf(heldPages);
    assertThat(heldPages).hasSizeBetween(15, 45);
    assertThat(trained.size() + heldPages.size()).isEqualTo(60);
    assertThat(corpus.heldOut().get("finqa-gold").getFirst().evidence().sentences()).isEmpty();
  }

  @Test
  void lessonsComeOnThePageAndOnItsGoldEvidence() throws IOException {
    Map<String, List<Lesson>> byPage =
        corpus().lessons().stream().collect(Collectors.groupingBy(Lesson::group));
    List<Lesson> lessons = byPage.values().iterator().next();

    assertThat(lessons)
        .anySatisfy(l -> assertThat(l.user()).contains("other income", "costs rose"));
    assertThat(lessons)
        .filteredOn(l -> l.id().endsWith("/gold"))
        .singleElement()
        .satisfies(l -> assertThat(l.user()).doesNotContain("other income", "costs rose"));
    assertThat(lessons).allSatisfy(l -> assertThat(l.assistant()).contains("compute c = a - b"));
  }

  @Test
  void conversationsAreMadeOfWhatTheLessonsCiteAndReadWhereOnlyAnswersAreKnown()
      throws IOException {
    Files.createDirectories(folder.resolve("convfinqa"));
    Files.writeString(
        folder.resolve("convfinqa/train_partial.jsonl.gz"),
        """
        {"id": "Single_U/2009/page_1.pdf-1", "document_md": "costs rose .\\n\\n## Table\\n| in millions | 2009 | 2008 |\\n| --- | --- | --- |\\n| net sales | 212 | 170 |\\n", "turns": [{"question": "what were net sales in 2009?", "gold": 212.0}, {"question": "and in 2008?", "gold": 170.0}, {"question": "what is the percent change?", "gold": 0.24706}]}
        """);
    PublishedCorpus corpus = corpus();

    assertThat(corpus.talks()).hasSizeGreaterThan(20);
    assertThat(corpus.talks()).extracting(Lesson::origin).containsOnly("finqa/conversation");
    assertThat(corpus.lessons())
        .filteredOn(l -> l.id().equals("Single_U/2009/page_1.pdf-1#3"))
        .singleElement()
        .satisfies(
            l ->
                assertThat(l.assistant())
                    .contains("compute c = (a - b) / b as % = 24.7059 %", "212", "170"));
    assertThat(corpus.conversations()).hasSize(3);
    assertThat(corpus.trainingPages()).extracting(Problem::origin).doesNotContain("convfinqa");
    assertThat(corpus.counts().get("convfinqa/train_partial.jsonl.gz")).containsEntry("kept", 3);
  }

  @Test
  void pagesAreAskedMoreQuestions() throws IOException {
    List<Lesson> more = new PageQuestions("finance", 1).lessons(corpus().trainingPages(), 5);
    assertThat(more).hasSizeGreaterThan(30);
    assertThat(more).extracting(Lesson::origin).allMatch(origin -> origin.startsWith("page/"));
    assertThat(more).anySatisfy(l -> assertThat(l.user()).contains("other income"));
  }

  @Test
  void whatSharesAPageOrItsTextWithASuiteIsLeftOutAndSoIsADuplicate() throws IOException {
    PublishedCorpus corpus = corpus();
    LeakFilter filter = new LeakFilter();
    List<Lesson> lessons = corpus.lessons();
    Problem sameText =
        new Problem(
            "x",
            "elsewhere",
            "finqa",
            corpus.trainingPages().getFirst().evidence(),
            null,
            null,
            Support.UNKNOWN);
    Problem samePage =
        new Problem(
            "y",
            corpus.trainingPages().getLast().group(),
            "finqa",
            corpus.heldOut().get("finqa-page").getFirst().evidence(),
            null,
            null,
            Support.UNKNOWN);
    filter.holdOut(List.of(sameText, samePage));
    List<Lesson> kept = filter.filter(lessons);

    assertThat(kept).noneMatch(l -> l.group().equals(samePage.group()));
    assertThat(filter.leaks()).isGreaterThan(1);
    assertThat(filter.filter(kept)).isEmpty();
    assertThat(filter.duplicates()).isGreaterThanOrEqualTo(kept.size());
  }

  @Test
  void lessonsAreReadAsTheyWereWritten() throws IOException {
    List<Lesson> lessons = corpus().lessons();
    for (String name : List.of("lessons.jsonl", "lessons.jsonl.gz")) {
      LessonFile.write(folder.resolve(name), lessons);
      assertThat(LessonFile.read(folder.resolve(name))).isEqualTo(lessons);
    }
    Path broken = Files.writeString(folder.resolve("broken.jsonl"), "{\"messages\": []}\n");
    assertThatThrownBy(() -> LessonFile.read(broken))
        .hasMessage(broken + ":1: needs a user and an assistant message");
  }

  @Test
  void theCardSaysWhatIsInIt() throws IOException {
    PublishedCorpus corpus = corpus();
    Path file = folder.resolve("lessons.jsonl");
    LessonFile.write(file, corpus.lessons());
    String card =
        DatasetCard.of("test", corpus.lessons(), List.of(file), corpus.counts(), List.of("a note"));
    assertThat(card)
        .contains("- a note", "| finqa/dev.json | kept | ", "MIT, (c) 2021 Zhiyu Chen")
        .containsPattern("\\| lessons.jsonl \\| \\d+ \\| `[0-9a-f]{64}` \\|");
  }

  @Test
  void aFolderWithoutDataSetsIsNamed() {
    assertThatThrownBy(() -> PublishedCorpus.read(folder, 50, 1, "finance"))
        .isInstanceOf(CorpusException.class)
        .hasMessageContaining(folder.toString());
  }
}
