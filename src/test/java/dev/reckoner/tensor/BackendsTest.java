package dev.reckoner.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.reckoner.tensor.backends.Backends;
import dev.reckoner.tensor.cuda.CudaBackend;
import dev.reckoner.tensor.cuda.CudaException;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class BackendsTest {
  @Test
  void theCpuIsOpenedWithTheThreadsAskedFor() {
    try (Backend backend = Backends.open("cpu", OptionalInt.of(3))) {
      assertThat(backend.name()).isEqualTo("cpu");
      assertThat(backend.description()).contains("3 threads");
    }
  }

  @Test
  void anUnknownNameIsToldTheKnownOnes() {
    for (String name : new String[] {"gpu", "cuda:", "cuda:x", "CPU", ""}) {
      assertThatThrownBy(() -> Backends.open(name))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("backend must be cpu, cuda, cuda:N or auto, not " + name);
    }
  }

  @Test
  void aGpuAskedForAndNotThereIsOneLineAndNeverTheCpu() {
    String beyond = "cuda:" + CudaBackend.devices();
    assertThatThrownBy(() -> Backends.open(beyond))
        .isInstanceOf(CudaException.class)
        .hasMessageNotContaining("\n");
  }

  @Test
  void autoIsTheCpuWhereThereIsNoGpu() {
    assumeTrue(CudaBackend.devices() == 0, "there is a GPU");
    try (Backend backend = Backends.open("auto")) {
      assertThat(backend.name()).isEqualTo("cpu");
    }
  }
}
