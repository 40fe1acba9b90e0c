package dev.reckoner.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How the panels of a product for few rows are shared out. */
class RunsTest {
  @ParameterizedTest
  @CsvSource({"36, 6", "12, 6", "432, 8", "8, 8", "5, 5", "1, 1", "0, 0"})
  void twoThreadsEndTogether(int pieces, int runs) {
    try (Workers workers = new Workers(2)) {
      assertThat(new Gemm(workers, new FloatPool()).runs(pieces)).isEqualTo(runs);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 16})
  void noThreadWorksLongerThanWithAsManyRunsAsThereMayBe(int threads) {
    try (Workers workers = new Workers(threads)) {
      Gemm gemm = new Gemm(workers, new FloatPool());
      for (int pieces = 1; pieces < 300; pieces++) {
        int runs = gemm.runs(pieces);
        int most = Math.min(pieces, 4 * threads);
        assertThat(runs).as("runs of %d pieces", pieces).isBetween(1, most);
        assertThat(Math.ceilDiv(runs, threads) * Math.ceilDiv(pieces, runs))
            .as("pieces of one thread, %d in all", pieces)
            .isLessThanOrEqualTo(Math.ceilDiv(most, threads) * Math.ceilDiv(pieces, most));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 16})
  void runsOfOneRowGetShorterAndLeaveNothingOut(int threads) {
    try (Workers workers = new Workers(threads)) {
      Gemm gemm = new Gemm(workers, new FloatPool());
      for (int pieces = 0; pieces < 300; pieces++) {
        int[] cuts = gemm.cuts(pieces);
        assertThat(cuts[0]).isZero();
        assertThat(cuts[cuts.length - 1]).isEqualTo(pieces);
        for (int i = 1; i < cuts.length; i++) {
          int run = cuts[i] - cuts[i - 1];
          assertThat(run).isBetween(1, Math.ceilDiv(pieces - cuts[i - 1], 2 * threads));
          assertThat(i == 1 || run <= cuts[i - 1] - cuts[i - 2]).as("run %d", i).isTrue();
        }
      }
    }
  }
}
