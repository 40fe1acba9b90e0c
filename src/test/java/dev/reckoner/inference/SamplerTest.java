package dev.reckoner.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class SamplerTest {

  private static final float[] LOGITS = {1f, 3f, 3f, -2f, 0f};

  @Test
  void greedyTakesTheMostLikelyAndTheFirstOfEquals() {
    assertThat(Sampler.GREEDY.pick(LOGITS, 5, Sampler.GREEDY.stream())).isEqualTo(1);
  }

  @Test
  void drawsFollowTheSoftmaxAtTheTemperature() {
    double[] share = shares(new Sampler(2, 0, 1, 7));
    double sum = 0;
    for (float logit : LOGITS) {
      sum += Math.exp(logit / 2);
    }
    for (int i = 0; i < LOGITS.length; i++) {
      assertThat(share[i]).isCloseTo(Math.exp(LOGITS[i] / 2) / sum, within(0.01));
    }
  }

  @Test
  void topKKeepsTheMostLikelyOnly() {
    double[] share = shares(new Sampler(1, 2, 1, 7));
    assertThat(share[1]).isCloseTo(0.5, within(0.01));
    assertThat(share[2]).isCloseTo(0.5, within(0.01));
  }

  @Test
  void topPKeepsTheSmallestSetThatReachesIt() {
    // Two tokens of 0.446 each reach 0.8; the third most likely (0.060) is out.
    double[] share = shares(new Sampler(1, 0, 0.8, 7));
    assertThat(share[1] + share[2]).isEqualTo(1.0);
  }

  @Test
  void logProbabilitiesSumToOne() {
    double sum = 0;
    for (int i = 0; i < LOGITS.length; i++) {
      sum += Math.exp(Sampler.logProbability(LOGITS, LOGITS.length, i));
    }
    assertThat(sum).isCloseTo(1, within(1e-12));
  }

  @Test
  void impossibleSettingsAreRefused() {
    assertThatThrownBy(() -> new Sampler(-1, 0, 1, 0)).hasMessageContaining("temperature");
    assertThatThrownBy(() -> new Sampler(1, 0, 0, 0)).hasMessageContaining("topP");
  }

  private static double[] shares(Sampler sampler) {
    SplittableRandom random = sampler.stream();
    int draws = 40_000;
    double[] share = new double[LOGITS.length];
    for (int i = 0; i < draws; i++) {
      share[sampler.pick(LOGITS, LOGITS.length, random)] += 1.0 / draws;
    }
    return java.util.Arrays.stream(share)
        .map(s -> Math.round(s * draws) / (double) draws)
        .toArray();
  }
}
