package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class ConversationsTest {

  private static final List<List<String>> ROWS =
      List.of(
          List.of("in millions", "2008", "2007", "2006"),
          List.of("net sales", "9896", "8181", "7000"),
          List.of("operating income", "3181", "1466", "1000"),
          List.of("other costs", "412", "230", "111"));

  private final Conversations conversations = new Conversations("finance");

  private static Problem page() {
    return new Problem(
        "T/2008/page_1.pdf-1",
        "T/2008/page_1.pdf",
        "finqa",
        new Evidence(
            "T 2008 annual report, page 1",
            "?",
            List.of(new Evidence.Table("in millions", ROWS)),
            List.of("costs rose .")),
        null,
        null,
        Support.UNKNOWN);
  }

  private List<Lesson> onPage(int count) {
    SplittableRandom random = new SplittableRandom(5);
    List<Lesson> lessons = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      conversations.onPage(page(), "c" + n, 1, random).ifPresent(lessons::add);
    }
    return lessons;
  }

  private static String question(Lesson lesson) {
    return lesson.user().substring(lesson.user().lastIndexOf("\nq ") + 3);
  }

  private static String lastTurn(Lesson lesson) {
    String[] turns = question(lesson).split("\\? ");
    return turns[turns.length - 1];
  }

  @Test
  void aSeedGivesTheSameConversationsAndEveryChainVerifies() throws Exception {
    List<Lesson> lessons = new ArrayList<>();
    List<Lesson> again = new ArrayList<>();
    for (List<Lesson> to : List.of(lessons, again)) {
      SplittableRandom random = new SplittableRandom(3);
      for (int n = 0; n < 60; n++) {
        to.add(conversations.synthetic("c" + n, 2, random));
      }
    }
    assertThat(again).isEqualTo(lessons);
    assertThat(lessons).extracting(ConversationsTest::question).doesNotHaveDuplicates();
    for (Lesson lesson : lessons) {
      assertThat(question(lesson).split("\\? ").length).isGreaterThan(1);
      Evidence evidence = new PromptFormat().parse(lesson.user());
      assertThat(new Verifier().verify(evidence, Chain.parse(lesson.assistant())))
          .allMatch(Verdict::passed);
    }
  }

  @Test
  void aTurnThatNamesNothingButAPeriodAsksForWhatWasAskedBefore() {
    Pattern bare = Pattern.compile("(?:and in|and for|what was it in|what about in) (20\\d\\d)\\?");
    List<Lesson> found =
        onPage(1500).stream()
            .filter(lesson -> bare.matcher(lastTurn(lesson)).matches())
            .filter(lesson -> !lesson.assistant().contains("compute"))
            .toList();
    assertThat(found).hasSizeGreaterThan(10);
    for (Lesson lesson : found) {
      Matcher period = bare.matcher(lastTurn(lesson));
      assertThat(period.matches()).isTrue();
      int column = ROWS.getFirst().indexOf(period.group(1));
      assertThat(lesson.assistant()).matches("(?s)cite a = .* @ r\\dc" + column + "\\n.*");
    }
  }

  @Test
  void aRateIsTheChangeOverTheEarlierLevelAndInPercentWhereItIsAskedForSo() {
    List<Lesson> rates =
        onPage(1500).stream()
            .filter(
                lesson -> lastTurn(lesson).matches(".*change (?:over|divided by) the 20\\d\\d .*"))
            .toList();
    assertThat(rates).hasSizeGreaterThan(10);
    for (Lesson lesson : rates) {
      Matcher cells = Pattern.compile("@ r(\\d)c(\\d)").matcher(lesson.assistant());
      assertThat(cells.find()).isTrue();
      String row = cells.group(1);
      int later = Integer.parseInt(cells.group(2));
      assertThat(cells.find()).isTrue();
      assertThat(cells.group(1)).isEqualTo(row);
      int earlier = Integer.parseInt(cells.group(2));
      assertThat(later).isLessThan(earlier);
      boolean percent = question(lesson).matches(".*(percent|portion|growth rate).*");
      assertThat(lesson.assistant())
          .contains("compute c = (a - b) / b " + (percent ? "as %" : "="));
    }
  }

  @Test
  void theFiguresOfAGoldChainAreAskedForOneByOne() throws Exception {
    Evidence asked =
        new Evidence(
            "T 2008 annual report, page 1",
            "what was the growth rate in net sales in 2008?",
            page().evidence().tables(),
            List.of("costs rose ."));
    Problem problem =
        new Problem(
            "T/2008/page_1.pdf-1",
            "T/2008/page_1.pdf",
            "finqa",
            asked,
            new Gold.Number(new BigDecimal("20.96"), "%", ""),
            new Program(Program.Language.FINQA, "subtract(9896, 8181), divide(#0, 8181)"),
            Support.UNKNOWN);
    Chain chain = new GoldChains().chain(problem).orElseThrow();
    List<String> questions = new ArrayList<>();
    for (int n = 0; n < 200; n++) {
      Optional<SyntheticGenerator.Solved> talk =
          conversations.about(problem, chain, new SplittableRandom(n));
      talk.ifPresent(
          solved -> {
            String question = solved.problem().evidence().question();
            questions.add(question);
            if (question.endsWith(asked.question())) {
              assertThat(solved.chain()).isEqualTo(chain);
            }
          });
    }
    assertThat(questions)
        .hasSizeGreaterThan(100)
        .anySatisfy(q -> assertThat(q).endsWith(asked.question()))
        .anySatisfy(q -> assertThat(q).contains("net sales", "2007").endsWith("the 2007 value?"))
        .allSatisfy(q -> assertThat(q.split("\\? ").length).isGreaterThan(1));
  }

  @Test
  void aPageWithoutPeriodsHasNoConversationAndAPackWithoutThemIsRefused() {
    Problem page =
        new Problem(
            "p",
            "p",
            "finqa",
            new Evidence(
                "T",
                "?",
                List.of(
                    new Evidence.Table("", List.of(List.of("a", "b"), List.of("sales", "many")))),
                List.of()),
            null,
            null,
            Support.UNKNOWN);
    assertThat(conversations.onPage(page, "c", 1, new SplittableRandom(1))).isEmpty();
    assertThatThrownBy(() -> new Conversations("retail"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("packs/retail/");
  }

  @Test
  void programsAreFoundWhereOnlyTheAnswersOfTheTurnsAreKnown() {
    List<String> asked =
        List.of(
            "what were net sales in 2008?",
            "what about 2007?",
            "what is the net change?",
            "what percentage change does this represent?",
            "what is the mood of the board?");
    List<String> answers = List.of("9896.0", "8181.0", "1715.0", "0.20963", "77.0");
    List<Problem> turns = new ArrayList<>();
    for (String answer : answers) {
      turns.add(
          new Problem(
              "c#" + turns.size(),
              "g",
              "convfinqa",
              page().evidence(),
              new Gold.Number(new BigDecimal(answer), "", ""),
              null,
              Support.UNKNOWN));
    }
    Map<Integer, Program> programs = ConversationSearch.programs(turns, asked);
    assertThat(programs.keySet()).containsExactly(0, 1, 2, 3);
    assertThat(programs.get(2).source()).isEqualTo("(9896) - (8181)");
    assertThat(programs.get(3).source()).isEqualTo("((9896) - (8181)) / (8181)");
  }

  @Test
  void aTurnThatSeveralProgramsGiveHasNone() {
    Evidence page =
        new Evidence(
            "T",
            "?",
            List.of(
                new Evidence.Table(
                    "",
                    List.of(
                        List.of("", "2008", "2007"),
                        List.of("sales", "500", "400"),
                        List.of("costs", "300", "200")))),
            List.of());
    List<Problem> turns =
        List.of(
            new Problem(
                "c#1",
                "g",
                "convfinqa",
                page,
                new Gold.Number(new BigDecimal("100.0"), "", ""),
                null,
                Support.UNKNOWN));
    assertThat(ConversationSearch.programs(turns, List.of("what was the change in 2008?")))
        .isEmpty();
  }
}
