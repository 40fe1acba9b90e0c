package dev.reckoner.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.cpu.CpuBackend;
import dev.reckoner.tensor.cuda.CudaBackend;
import dev.reckoner.tensor.cuda.CudaException;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every operation and the whole model agree with the CPU, on fresh inputs; needs a GPU. */
class CudaTest {
  private static final long SEED = System.nanoTime() & 0xffffff;

  private static Backend cpu;
  private static Backend gpu;

  @BeforeAll
  static void open() {
    try {
      gpu = CudaBackend.open(0);
    } catch (CudaException e) {
      abort(e.getMessage());
    }
    cpu = CpuBackend.open();
  }

  @AfterAll
  static void close() {
    if (gpu != null) {
      gpu.close();
      cpu.close();
    }
  }

  @TestFactory
  Stream<DynamicTest> operations() {
    return OperationChecks.all(SEED).stream().map(CudaTest::test);
  }

  @TestFactory
  Stream<DynamicTest> model() {
    return ModelChecks.all(SEED).stream().map(CudaTest::test);
  }

  private static DynamicTest test(OperationChecks.Check check) {
    return DynamicTest.dynamicTest(
        "%s, %s, seed %d".formatted(check.name(), check.size(), SEED),
        () -> {
          double[] errors = check.errors(gpu, cpu);
          assertThat(check.passes(errors))
              .as("errors %s within %s", Arrays.toString(errors), check.tolerance())
              .isTrue();
        });
  }
}
