package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.reckoner.corpus.Gold;
import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.Support;
import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.evaluation.Suite;
import dev.reckoner.improve.DatasetBuilder.Replay;
import dev.reckoner.improve.ValidatedChain.Use;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.PromptFormat;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetBuilderTest {

  private static final String WRONG =
      """
      cite a = 120 USD million @ r1c1
      cite b = 100 USD million @ r1c2
      compute c = a - b = 20 USD million
      conclude c = 20 USD million\
      """;

  private static final String RIGHT =
      """
      cite a = 120 USD million @ r1c1
      cite b = 100 USD million @ r1c2
      compute c = (a - b) / b as % = 20 %
      conclude c = 20 %\
      """;

  private final DatasetBuilder builder = new DatasetBuilder();

  @Test
  void aCorrectionIsASampleAndAPreferenceFromTheFirstWrongStep() throws JsonProcessingException {
    Dataset dataset = builder.build(List.of(corrected(1, 2)), List.of(), List.of());

    JsonNode sample = lines(dataset, Dataset.TRAIN).getFirst();
    assertThat(sample.at("/messages/0/content").asText()).isEqualTo(PromptFormat.INSTRUCTION);
    assertThat(sample.at("/messages/1/content").asText())
        .isEqualTo(new PromptFormat().render(evidence(1)));
    assertThat(sample.at("/messages/2/content").asText())
        .isEqualTo(Figures.of(evidence(1)).labelled(RIGHT))
        .startsWith("cite a = Net sales|2023 : 120 USD million @ r1c1\n");
    JsonNode pair = lines(dataset, Dataset.PREFERENCES).getFirst();
    assertThat(pair.get("messages")).hasSize(2);
    assertThat(pair.get("prefix").asText().lines()).hasSize(2).allMatch(l -> l.startsWith("cite"));
    assertThat(pair.get("chosen").asText()).startsWith("compute c = (a - b) / b");
    assertThat(pair.get("rejected").asText()).startsWith("compute c = a - b =");
  }

  @Test
  void theFirstDifferenceCountsWhereNothingOrALaterStepWasMarked() throws JsonProcessingException {
    Dataset unmarked = builder.build(List.of(corrected(1, null)), List.of(), List.of());
    Dataset late = builder.build(List.of(corrected(1, 3)), List.of(), List.of());
    assertThat(lines(unmarked, Dataset.PREFERENCES).getFirst().get("prefix").asText().lines())
        .hasSize(2);
    assertThat(late.files().get(Dataset.PREFERENCES))
        .isEqualTo(unmarked.files().get(Dataset.PREFERENCES));
  }

  @Test
  void aRejectedChainIsKeptAndNotImitated() {
    Dataset dataset =
        builder.build(List.of(chain(1, Use.REJECTED, WRONG, null, null)), List.of(), List.of());
    assertThat(dataset.files().get(Dataset.TRAIN)).isEmpty();
    assertThat(dataset.files().get(Dataset.REJECTIONS)).contains("compute c = a - b");
    assertThat(dataset.count("rejections")).isEqualTo(1);
  }

  @Test
  void anApprovedChainWithAFailedStepIsLeftOut() {
    String wrongSum = RIGHT.replace("20 %", "21 %");
    Dataset dataset =
        builder.build(
            List.of(
                chain(1, Use.APPROVED, wrongSum, null, null),
                chain(2, Use.APPROVED, RIGHT, null, null)),
            List.of(),
            List.of());
    assertThat(dataset.count("samples")).isEqualTo(1);
    assertThat(dataset.count("left out: a step does not verify")).isEqualTo(1);
    assertThat(dataset.items()).containsOnlyKeys(new UUID(0, 2));
  }

  @Test
  void ofTwoDecisionsOnTheSameEvidenceTheLaterCounts() throws JsonProcessingException {
    ValidatedChain early = chain(1, Use.APPROVED, WRONG, null, null);
    ValidatedChain late =
        new ValidatedChain(
            new UUID(0, 9),
            Use.APPROVED,
            "s",
            "t",
            early.evidence(),
            RIGHT,
            null,
            null,
            "ann",
            early.decidedAt().plusSeconds(1));
    Dataset dataset = builder.build(List.of(early, late), List.of(), List.of());
    assertThat(lines(dataset, Dataset.TRAIN)).hasSize(1);
    assertThat(dataset.files().get(Dataset.TRAIN)).contains("20 %");
    assertThat(dataset.count("left out: the same evidence again")).isEqualTo(1);
  }

  @Test
  void theSameDecisionsGiveTheSameBytesInWhateverOrder(@TempDir Path root) throws IOException {
    List<ValidatedChain> chains =
        List.of(corrected(1, 2), chain(2, Use.APPROVED, RIGHT, null, null));
    Dataset one = builder.build(chains, List.of(replay(50)), List.of());
    Dataset other = builder.build(chains.reversed(), List.of(replay(50)), List.of());
    assertThat(other.hash()).isEqualTo(one.hash());
    assertThat(builder.build(chains, List.of(replay(51)), List.of()).hash())
        .isNotEqualTo(one.hash());

    Path directory = one.write(root, "{}");
    assertThat(directory).hasFileName(one.hash());
    assertThat(Files.readString(directory.resolve(Dataset.TRAIN)))
        .isEqualTo(one.files().get(Dataset.TRAIN));
    one.write(root, "{}");
    try (var files = Files.list(directory)) {
      assertThat(files).hasSize(4);
    }
  }

  @Test
  void aPageThatASuiteAsksAboutIsRefusedAndNamed() {
    // Another question and title on the same page.
    Evidence page = evidence(7);
    Problem problem =
        new Problem(
            "held-7",
            "page 7",
            "test",
            new Evidence("other title", "What are the costs?", page.tables(), page.sentences()),
            new Gold.Number(BigDecimal.ONE, "", ""),
            null,
            Support.UNKNOWN);
    Suite suite = Suite.of("gate", List.of(problem));
    assertThatThrownBy(() -> builder.build(List.of(corrected(7, 2)), List.of(), List.of(suite)))
        .isInstanceOf(LeakException.class)
        .hasMessageContaining("analysis " + new UUID(0, 7))
        .hasMessageContaining("is the same page as problem held-7 of suite gate");
    assertThat(builder.build(List.of(corrected(8, 2)), List.of(), List.of(suite)).count("samples"))
        .isEqualTo(1);
  }

  @Test
  void aPageWithOneFigureChangedStillLeaks() {
    Evidence page = evidence(7);
    Problem problem =
        new Problem(
            "held-7", "page 7", "test", page, new Gold.Unanswerable(), null, Support.UNKNOWN);
    ValidatedChain near =
        new ValidatedChain(
            new UUID(0, 1),
            Use.APPROVED,
            "s",
            "t",
            new Evidence(
                page.title(),
                page.question(),
                page.tables(),
                List.of(page.sentences().getFirst().replace("8", "9"))),
            RIGHT,
            null,
            null,
            "ann",
            Instant.EPOCH);
    assertThatThrownBy(
            () ->
                builder.build(
                    List.of(near), List.of(), List.of(Suite.of("gate", List.of(problem)))))
        .isInstanceOf(LeakException.class)
        .hasMessageContaining("% alike to problem held-7");
  }

  @Test
  void aReplayedPageIsReadOnceForAllItsQuestions() throws Exception {
    Evidence page = evidence(1);
    Evidence further =
        new Evidence(page.title(), "What are net sales?", page.tables(), page.sentences());
    Dataset dataset =
        builder.build(
            List.of(),
            List.of(new Replay(List.of(solved("r", page), solved("r", further)))),
            List.of());
    JsonNode messages = lines(dataset, Dataset.TRAIN).getFirst().get("messages");
    assertThat(messages)
        .extracting(m -> m.get("role").asText())
        .containsExactly("system", "user", "assistant", "user", "assistant");
    assertThat(messages.get(1).get("content").asText()).isEqualTo(new PromptFormat().render(page));
    assertThat(messages.get(3).get("content").asText()).isEqualTo("q What are net sales?");
    assertThat(dataset.count("replay")).isEqualTo(1);
  }

  @Test
  void replayThatIsAlikeToASuiteIsLeftOutWithoutAFuss() {
    Replay replay = replay(7);
    Problem problem = solved("held-7", evidence(7)).problem();
    Dataset dataset =
        builder.build(
            List.of(), List.of(replay, replay(8)), List.of(Suite.of("gate", List.of(problem))));
    assertThat(dataset.count("replay")).isEqualTo(1);
    assertThat(dataset.count("left out: replay alike to a suite")).isEqualTo(1);
  }

  private static Evidence evidence(int n) {
    return new Evidence(
        "Company " + n,
        "What is the growth of net sales?",
        List.of(
            new Evidence.Table(
                "USD million",
                List.of(List.of("", "2023", "2022"), List.of("Net sales", "120", "100")))),
        List.of(
            "Company %d opened %d stores in its home market and closed %d of them again in a year of weak demand and rising rents, while its online shop grew in every quarter and now makes a third of what all of them sell."
                .formatted(n, n * 31 + 1, n * 17 + 2)));
  }

  private static ValidatedChain corrected(int n, Integer firstWrong) {
    return chain(n, Use.CORRECTED, WRONG, parse(RIGHT), firstWrong);
  }

  private static ValidatedChain chain(
      int n, Use use, String original, Chain corrected, Integer firstWrong) {
    return new ValidatedChain(
        new UUID(0, n),
        use,
        "subject " + n,
        "t",
        evidence(n),
        original,
        corrected,
        firstWrong,
        "ann",
        Instant.EPOCH.plusSeconds(n));
  }

  private static Replay replay(int n) {
    return new Replay(List.of(solved("r" + n, evidence(n))));
  }

  private static Solved solved(String id, Evidence evidence) {
    return new Solved(
        new Problem(id, id, "test", evidence, new Gold.Unanswerable(), null, Support.UNKNOWN),
        parse(RIGHT));
  }

  private static Chain parse(String text) {
    try {
      return Chain.parse(text);
    } catch (ChainSyntaxException e) {
      throw new AssertionError(e);
    }
  }

  private static List<JsonNode> lines(Dataset dataset, String file) throws JsonProcessingException {
    List<JsonNode> nodes = new java.util.ArrayList<>();
    for (String line : dataset.files().get(file).lines().toList()) {
      nodes.add(CanonicalJson.MAPPER.readTree(line));
    }
    return nodes;
  }
}
