package dev.reckoner.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.reckoner.evaluation.Bootstrap.Ratio;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Against published or hand-computed values. */
class StatisticsTest {

  private record Item(String group, double value) {}

  private static final Ratio<Item> MEAN = new Ratio<>(Item::value, i -> 1);

  @Test
  void mcNemarMatchesTheBinomialTable() {
    // 2 * P(X <= 5 | n = 20, p = 1/2) = 2 * 21700 / 2^20
    assertThat(McNemar.of(5, 15).pValue()).isCloseTo(0.041389465, within(1e-9));
    // 2 * P(X <= 1 | n = 10) = 22 / 1024
    assertThat(McNemar.of(9, 1).pValue()).isCloseTo(0.021484375, within(1e-12));
    assertThat(McNemar.of(7, 7).pValue()).isEqualTo(1);
    assertThat(McNemar.of(0, 0).pValue()).isEqualTo(1);
  }

  @Test
  void mcNemarDoesNotUnderflowOnManyProblems() {
    // Normal approximation with continuity correction: z = (200 - 1) / sqrt(5000), p = 0.00488
    assertThat(McNemar.of(2400, 2600).pValue()).isCloseTo(0.00488, within(5e-5));
  }

  @Test
  void theIntervalOfAProportionIsTheBinomialOne() {
    // 70 of 100: the standard error is sqrt(0.7 * 0.3 / 100) = 0.0458, so about 0.61 to 0.79
    List<Item> items =
        IntStream.range(0, 100).mapToObj(i -> new Item("g" + i, i < 70 ? 1 : 0)).toList();
    Interval interval = Bootstrap.DEFAULT.of(items, Item::group, MEAN);
    assertThat(interval.estimate()).isEqualTo(0.7);
    assertThat(interval.low()).isCloseTo(0.61, within(0.011));
    assertThat(interval.high()).isCloseTo(0.79, within(0.011));
  }

  @Test
  void itemsOfOneGroupAreDrawnTogether() {
    // Ten groups of ten equal items carry the information of ten items, so the standard error is
    // sqrt(0.7 * 0.3 / 10) = 0.145
    List<Item> items =
        IntStream.range(0, 100).mapToObj(i -> new Item("g" + i / 10, i < 70 ? 1 : 0)).toList();
    Interval interval = Bootstrap.DEFAULT.of(items, Item::group, MEAN);
    assertThat(interval.low()).isCloseTo(0.4, within(1e-9));
    assertThat(interval.high()).isBetween(0.9, 1.0);
  }

  @Test
  void thePairedDifferenceIsTighterThanTwoIndependentOnes() {
    // The second model solves all the first does and 5 more of 100: the standard error of the
    // paired difference is sqrt(0.05 * 0.95 / 100) = 0.0218
    record Pair(String group, Item first, Item second) {}
    List<Pair> pairs =
        IntStream.range(0, 100)
            .mapToObj(
                i -> new Pair("g" + i, new Item("", i < 50 ? 1 : 0), new Item("", i < 55 ? 1 : 0)))
            .toList();
    Interval difference =
        Bootstrap.DEFAULT.difference(pairs, Pair::group, Pair::first, Pair::second, MEAN);
    assertThat(difference.estimate()).isCloseTo(0.05, within(1e-12));
    assertThat(difference.low()).isCloseTo(0.01, within(1e-9));
    assertThat(difference.high()).isCloseTo(0.10, within(1e-9));
    assertThat(difference.excludesZero()).isTrue();
  }

  @Test
  void theSameOutcomesGiveTheSameInterval() {
    List<Item> items = IntStream.range(0, 40).mapToObj(i -> new Item("g" + i % 7, i % 3)).toList();
    assertThat(Bootstrap.DEFAULT.of(items, Item::group, MEAN))
        .isEqualTo(Bootstrap.DEFAULT.of(items, Item::group, MEAN));
  }

  @Test
  void nothingToMeasureIsNotZero() {
    Interval none =
        Bootstrap.DEFAULT.of(
            List.of(new Item("a", 1)), Item::group, new Ratio<>(Item::value, i -> 0));
    assertThat(none.defined()).isFalse();
    assertThat(Bootstrap.DEFAULT.of(List.<Item>of(), Item::group, MEAN).defined()).isFalse();
  }

  @Test
  void quantilesInterpolateLikeR() {
    assertThat(Bootstrap.quantile(new double[] {1, 2, 3, 4}, 0.25)).isEqualTo(1.75);
    assertThat(Bootstrap.quantile(new double[] {1, 2, 3, 4}, 1)).isEqualTo(4);
  }

  @Test
  void calibrationTellsAnHonestModelFromABlindOne() {
    // Ten right answers at 0.9, ten wrong at 0.1: ranking perfect, each off by 0.1
    List<Calibration.Item> honest =
        IntStream.range(0, 20)
            .mapToObj(i -> new Calibration.Item("g" + i, i < 10 ? 0.9 : 0.1, i < 10))
            .toList();
    Calibration calibration = Calibration.of(honest);
    assertThat(calibration.auroc().estimate()).isEqualTo(1);
    assertThat(calibration.expectedError().estimate()).isCloseTo(0.1, within(1e-12));
    // The same confidence for all, half of them right
    List<Calibration.Item> blind =
        IntStream.range(0, 20)
            .mapToObj(i -> new Calibration.Item("g" + i, 0.5, i % 2 == 0))
            .toList();
    assertThat(Calibration.of(blind).auroc().estimate()).isEqualTo(0.5);
    assertThat(Calibration.of(blind).expectedError().estimate()).isCloseTo(0, within(1e-12));
  }

  @Test
  void aurocMatchesPairsCountedByHand() {
    // right: 0.8, 0.4; wrong: 0.4, 0.2 -> pairs won: 1, 1, 0.5, 1 of 4
    Calibration calibration =
        Calibration.of(
            List.of(
                new Calibration.Item("g08true", 0.8, true),
                new Calibration.Item("g04true", 0.4, true),
                new Calibration.Item("g04false", 0.4, false),
                new Calibration.Item("g02false", 0.2, false)));
    assertThat(calibration.auroc().estimate()).isEqualTo(0.875);
  }

  @Test
  void theIntervalOfCalibrationSaysWhetherConfidenceMeansAnything() {
    // Confidence that is a coin apart from the answer, and one that ranks right above wrong.
    SplittableRandom random = new SplittableRandom(5);
    List<Calibration.Item> blind = new ArrayList<>();
    List<Calibration.Item> telling = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      boolean right = random.nextBoolean();
      double noise = random.nextDouble();
      blind.add(new Calibration.Item("g" + i, noise, right));
      telling.add(new Calibration.Item("g" + i, 0.5 * noise + (right ? 0.3 : 0.1), right));
    }
    Interval nothing = Calibration.of(blind).auroc();
    assertThat(nothing.low()).isLessThan(0.5);
    assertThat(nothing.high()).isGreaterThan(0.5);
    // Hanley and McNeil's standard error of an area of 0.5 with 100 and 100 is 0.041.
    assertThat(nothing.high() - nothing.low()).isCloseTo(2 * 1.96 * 0.041, within(0.03));
    Interval ranks = Calibration.of(telling).auroc();
    assertThat(ranks.low()).isGreaterThan(0.6);
    assertThat(ranks.estimate()).isBetween(ranks.low(), ranks.high());
    Interval error = Calibration.of(telling).expectedError();
    assertThat(error.low()).isPositive().isLessThan(error.high());
    assertThat(Calibration.of(telling)).isEqualTo(Calibration.of(telling));
  }
}
