package dev.reckoner.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class AgreementTest {

  @Test
  void kappaByHand() {
    // 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    List<String> first = new ArrayList<>();
    List<String> second = new ArrayList<>();
    add(first, second, "yes", "yes", 20);
    add(first, second, "yes", "no", 5);
    add(first, second, "no", "yes", 10);
    add(first, second, "no", "no", 15);
    assertThat(Agreement.cohenKappa(first, second)).isCloseTo(0.4, within(1e-12));
    assertThat(Agreement.cohenKappa(second, first)).isCloseTo(0.4, within(1e-12));
  }

  @Test
  void kappaOfThreeCategoriesByHand() {
    // p_o = 7/10; p_e = (5*4 + 3*4 + 2*2) / 100 = 0.36; (0.7 - 0.36) / 0.64 = 0.53125.
    assertThat(Agreement.cohenKappa(split("a a a a a b b b c c"), split("a a a b c b b b c a")))
        .isCloseTo((0.7 - 0.36) / 0.64, within(1e-12));
  }

  @Test
  void whatChanceExplainsIsZeroAndOpposedIsNegative() {
    assertThat(Agreement.cohenKappa(split("a a b b"), split("a b a b"))).isZero();
    assertThat(Agreement.cohenKappa(split("a b a b"), split("b a b a"))).isEqualTo(-1);
    assertThat(Agreement.cohenKappa(split("a b a b"), split("a b a b"))).isEqualTo(1);
  }

  @Test
  void oneCategoryAloneSaysNothing() {
    assertThat(Agreement.cohenKappa(split("a a"), split("a a"))).isNaN();
    assertThat(Agreement.cohenKappa(List.of(), List.of())).isNaN();
    assertThat(Agreement.krippendorffAlpha(units("a a", "a a"))).isNaN();
    assertThat(Agreement.krippendorffAlpha(List.of())).isNaN();
    assertThatThrownBy(() -> Agreement.cohenKappa(split("a"), split("a b")))
        .isInstanceOf(IllegalArgumentException.class);
  }

  // The three examples with nominal data of Krippendorff, Computing Krippendorff's
  // Alpha-Reliability (2011), sections A, B and C.

  @Test
  void alphaOfBinaryDataAsPublished() {
    assertThat(Agreement.krippendorffAlpha(units("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0")))
        .isCloseTo(0.095, within(5e-4));
  }

  @Test
  void alphaOfTwoObserversAsPublished() {
    assertThat(
            Agreement.krippendorffAlpha(
                units("a a b b d c c c e d d a", "b a b b b c c c e d d d")))
        .isCloseTo(0.692, within(5e-4));
  }

  @Test
  void alphaOfFourObserversWithMissingDataAsPublished() {
    assertThat(
            Agreement.krippendorffAlpha(
                units(
                    "1 2 3 3 2 1 4 1 2 . . .",
                    "1 2 3 3 2 2 4 1 2 5 . 3",
                    ". 3 3 3 2 3 4 2 2 5 1 .",
                    "1 2 3 3 2 4 4 1 2 5 1 .")))
        .isCloseTo(0.743, within(5e-4));
  }

  @Test
  void theIntervalHoldsTheEstimateAndIsTheSameEachTime() {
    List<List<String>> units = units("a a b b d c c c e d d a", "b a b b b c c c e d d d");
    Interval interval = Agreement.alpha(units);
    assertThat(interval.estimate()).isBetween(interval.low(), interval.high());
    assertThat(interval.low()).isLessThan(interval.high());
    assertThat(Agreement.alpha(units)).isEqualTo(interval);
    assertThat(Agreement.alpha(units.subList(0, 9)).defined()).isFalse();
  }

  @Test
  void wilsonAsPublished() {
    // Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29.
    share(81, 263, 0.2553, 0.3662);
    share(15, 148, 0.0624, 0.1605);
    share(0, 20, 0.0000, 0.1611);
    share(1, 29, 0.0061, 0.1718);
    assertThat(Agreement.share(0, 0).defined()).isFalse();
  }

  private static void share(int successes, int trials, double low, double high) {
    Interval share = Agreement.share(successes, trials);
    assertThat(share.low()).isCloseTo(low, within(6e-5));
    assertThat(share.high()).isCloseTo(high, within(6e-5));
  }

  private static void add(List<String> first, List<String> second, String a, String b, int times) {
    first.addAll(Collections.nCopies(times, a));
    second.addAll(Collections.nCopies(times, b));
  }

  private static List<String> split(String categories) {
    return Arrays.asList(categories.split(" "));
  }

  /** One row an observer, a dot for what they did not judge. */
  private static List<List<String>> units(String... observers) {
    List<List<String>> units = new ArrayList<>();
    for (int i = 0; i < observers[0].split(" ").length; i++) {
      List<String> unit = new ArrayList<>();
      for (String observer : observers) {
        String category = observer.split(" ")[i];
        if (!category.equals(".")) {
          unit.add(category);
        }
      }
      units.add(unit);
    }
    return units;
  }
}
