package dev.reckoner.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class WarmUpTest {
  @Test
  void everyKernelTakesTheTinyOperands() {
    try (CpuBackend backend = CpuBackend.open(1)) {
      assertThatCode(() -> WarmUp.run(backend)).doesNotThrowAnyException();
    }
  }

  @Test
  void endsByItself() throws Exception {
    assertThat(CpuBackend.warmUp().get(2, TimeUnit.MINUTES)).isNull();
  }
}
