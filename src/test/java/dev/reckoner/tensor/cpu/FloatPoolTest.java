package dev.reckoner.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.reckoner.tensor.cpu.AttentionBlock.PanelSource;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class FloatPoolTest {

  @Test
  void aShorterUseGetsALongerArrayAndALastingOneDoesNot() {
    FloatPool pool = new FloatPool();
    float[] given = pool.take(40_000);
    pool.give(given);
    assertTrue(given == pool.take(20_000));
    pool.give(given);
    assertFalse(given == pool.keep(20_000));
  }

  @Test
  void whatIsHeldStaysNearWhatWasInUseAtMost() {
    FloatPool pool = new FloatPool();
    SplittableRandom random = new SplittableRandom(1);
    long most = 0;
    for (int step = 0; step < 400; step++) {
      List<float[]> arrays = new ArrayList<>();
      long inUse = 0;
      for (int i = 0; i < 8; i++) {
        float[] array = pool.take(random.nextInt(2_000, 50_000));
        arrays.add(array);
        inUse += 4L * array.length;
      }
      most = Math.max(most, inUse);
      assertTrue(pool.bytes() <= most + most / 8, step + ": " + pool.bytes() + " of " + most);
      arrays.forEach(pool::give);
    }
  }

  @Test
  void aSequenceHoldsPagesForItsTokensAndGivesThemBack() {
    FloatPool pool = new FloatPool();
    float[] row = new float[2 * 40];
    long atMost = 0;
    for (int request = 0; request < 3; request++) {
      CpuKeyValues cache = new CpuKeyValues(pool, 1, 2, 40, 1000);
      assertEquals(0, cache.bytes());
      for (int token = 0; token < 65; token++) {
        cache.put(0, token, row, 0, row, 0);
      }
      assertEquals(4L * 2 * CpuKeyValues.PAGE * 2 * (40 + 64), cache.bytes());
      if (request == 0) {
        atMost = pool.bytes();
      }
      cache.close();
      cache.close();
      assertEquals(atMost, pool.bytes());
    }
  }

  @Test
  void aCopyHoldsWhatWasWrittenAndNoMore() {
    FloatPool pool = new FloatPool();
    float[] row = {1, 2, 3, 4};
    CpuKeyValues from = new CpuKeyValues(pool, 2, 1, 4, 100);
    for (int token = 0; token < 70; token++) {
      from.put(1, token, row, 0, row, 0);
    }
    CpuKeyValues to = new CpuKeyValues(pool, 2, 1, 4, 100);
    to.copyFrom(from, 66);
    assertEquals(from.bytes(), to.bytes());
    PanelSource keys = to.keys(1, 0, 64);
    assertEquals(3, keys.data(0, 0)[keys.at(0, 0) + 2 * CpuKeyValues.W + 1]);
  }
}
