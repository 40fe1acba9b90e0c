package dev.reckoner.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.reckoner.inference.ConfidenceMap;
import dev.reckoner.inference.InferenceException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlattTest {

  private static final String WEIGHTS = "w1";

  @TempDir Path model;

  private static Grade grade(int n, double certainty, boolean right, String failure) {
    return new Grade(
        "p" + n, "g" + n, "s", "1", "1", true, right, false, false, true, 1, 1, 2, 0, 0, 0, 0, 0,
        false, certainty, certainty, 10, 0.1, failure);
  }

  /** Answers that are right as often as the logistic curve says. */
  private static List<Grade> drawn(int count, double slope, double intercept, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Grade> grades = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      double odds = random.nextDouble(-1, 7);
      double share = 1 / (1 + Math.exp(-(slope * odds + intercept)));
      double certainty = 1 / (1 + Math.exp(-odds));
      grades.add(grade(n, certainty, random.nextDouble() < share, null));
    }
    return grades;
  }

  private static ConfidenceMap fit(List<Grade> grades) {
    return Platt.fit(List.of(grades), WEIGHTS, "problems", 1);
  }

  @Test
  void theCurveThatAnswersWereDrawnFromIsFound() {
    ConfidenceMap map = fit(drawn(20_000, 1.2, -3.9, 5));
    assertThat(map.slope()).isCloseTo(1.2, within(0.06));
    assertThat(map.intercept()).isCloseTo(-3.9, within(0.2));
    assertThat(map).isEqualTo(fit(drawn(20_000, 1.2, -3.9, 5)));
  }

  @Test
  void eachSetOfProblemsCountsTheSameWhateverItsSize() {
    List<Grade> easy = drawn(6_000, 0, 3, 11);
    List<Grade> hard = drawn(300, 0, -1, 12);
    ConfidenceMap map = Platt.fit(List.of(easy, hard), WEIGHTS, "problems", 1);
    double shares = (share(easy) + share(hard)) / 2;
    assertThat(map.apply(0.9)).isCloseTo(shares, within(0.03));
    assertThat(map.origin().right()).isCloseTo(shares, within(1e-9));
    assertThat(map.origin().answers()).isEqualTo(6_300);
    assertThat(Platt.fit(List.of(hard, easy), WEIGHTS, "problems", 1).intercept())
        .isCloseTo(map.intercept(), within(1e-6));
  }

  private static double share(List<Grade> grades) {
    return grades.stream().mapToDouble(g -> g.correct() ? 1 : 0).average().orElseThrow();
  }

  @Test
  void confidenceIsTheShareThatIsRightAndKeepsTheOrder() {
    ConfidenceMap map = fit(drawn(2_000, 1.2, -3.9, 6));
    List<Calibration.Item> before = new ArrayList<>();
    List<Calibration.Item> after = new ArrayList<>();
    for (Grade g : drawn(2_000, 1.2, -3.9, 7)) {
      before.add(new Calibration.Item(g.group(), g.certainty(), g.correct()));
      after.add(new Calibration.Item(g.group(), map.apply(g.certainty()), g.correct()));
    }
    Calibration raw = Calibration.of(before);
    Calibration calibrated = Calibration.of(after);
    assertThat(raw.expectedError().estimate()).isGreaterThan(0.2);
    assertThat(calibrated.expectedError().estimate()).isLessThan(0.05);
    assertThat(calibrated.auroc().estimate()).isCloseTo(raw.auroc().estimate(), within(1e-9));
  }

  @Test
  void answersThatCertaintyTellsApartWhollyGiveASteepButFiniteCurve() {
    List<Grade> grades = new ArrayList<>();
    for (int n = 0; n < 100; n++) {
      grades.add(grade(n, n < 50 ? 0.3 + 0.001 * n : 0.8 + 0.001 * n, n >= 50, null));
    }
    ConfidenceMap map = fit(grades);
    assertThat(map.apply(0.31)).isLessThan(0.1);
    assertThat(map.apply(0.9)).isBetween(0.9, 0.999);
    assertThat(map.apply(0)).isBetween(0.0, 0.1);
    assertThat(map.apply(1)).isBetween(0.9, 1.0);
  }

  @Test
  void whereSureAnswersAreWrongMoreOftenTheMapIsFlat() {
    ConfidenceMap map = fit(drawn(1_000, -1, 3, 8));
    assertThat(map.slope()).isZero();
    assertThat(map.apply(0.2)).isEqualTo(map.apply(0.99));
    assertThat(map.apply(0.5)).isCloseTo(map.origin().right(), within(0.001));
  }

  @Test
  void answersAllOfOneKindGiveAShareShortOfCertain() {
    List<Grade> right = new ArrayList<>();
    for (int n = 0; n < 60; n++) {
      right.add(grade(n, 0.9, true, null));
    }
    assertThat(fit(right).apply(0.9)).isCloseTo(61 / 62.0, within(1e-6));
  }

  @Test
  void fewAnswersAreRefusedAndFailuresAreNoAnswers() {
    List<Grade> grades = new ArrayList<>(drawn(49, 1, 0, 9));
    for (int n = 0; n < 100; n++) {
      grades.add(grade(1_000 + n, 0, false, "out of tokens"));
    }
    assertThatThrownBy(() -> fit(grades))
        .isInstanceOf(SuiteException.class)
        .hasMessageContaining("49 answers are too few")
        .hasMessageContaining("--limit");
  }

  @Test
  void aMapIsReadBackForItsWeightsAndLeftAloneForOthers() throws Exception {
    assertThat(ConfidenceMap.read(model, WEIGHTS)).isEqualTo(ConfidenceMap.IDENTITY);
    assertThat(ConfidenceMap.IDENTITY.apply(0.37)).isEqualTo(0.37);
    ConfidenceMap map = fit(drawn(200, 1.2, -3.9, 10));
    map.write(model);
    assertThat(ConfidenceMap.read(model, WEIGHTS)).isEqualTo(map);
    assertThat(ConfidenceMap.read(model, "w2")).isEqualTo(ConfidenceMap.IDENTITY);
  }

  @Test
  void aDamagedFileIsNamed() throws Exception {
    for (String text : List.of("", "null", "{", "{}", "{\"slope\":-1,\"intercept\":0}", "[1]")) {
      Files.writeString(model.resolve(ConfidenceMap.FILE), text);
      assertThatThrownBy(() -> ConfidenceMap.read(model, WEIGHTS))
          .as(text)
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining(ConfidenceMap.FILE)
          .hasMessageContaining("--calibrate");
    }
  }
}
