package dev.reckoner.tensor.cpu;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.util.List;

/**
 * Bounds the garbage beside a large model. The JVM lets its heap grow to a quarter of the machine
 * before it collects what has grown old, and gives memory once touched back late or never; a
 * collection costs little here, because weights are a few large arrays.
 */
final class OldGeneration {
  private static final long MOST = 64L << 20;

  private final List<MemoryPoolMXBean> pools =
      ManagementFactory.getMemoryPoolMXBeans().stream()
          .filter(pool -> pool.getType() == MemoryType.HEAP && pool.isUsageThresholdSupported())
          .toList();
  private long live;

  /** Collects where more has come since the last time than may be garbage. */
  synchronized void check() {
    if (used() > live + MOST) {
      System.gc();
      live = used();
    }
  }

  private long used() {
    return pools.stream().mapToLong(pool -> pool.getUsage().getUsed()).sum();
  }
}
