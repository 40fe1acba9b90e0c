package dev.reckoner.tensor;

import dev.reckoner.tensor.cpu.CpuBackend;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Time of one linear layer at Gemma 3 1B's gate and up projections (13,824 x 1,152 = 15.9M weights)
 * on one thread: for 1 token the weights' bytes are the limit, for many the multiply-adds.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "-XX:+UseTransparentHugePages"})
public class KernelBenchmark {
  private static final int IN = 1152;
  private static final int OUT = 13824;

  @Param({"NF4", "INT8", "BF16", "FP32"})
  private Precision precision;

  @Param({"1", "8", "16", "64"})
  private int tokens;

  private Backend backend;
  private Matrix weight;
  private Tensor x;
  private Tensor y;

  @Setup(Level.Trial)
  public void open() {
    backend = CpuBackend.open(1);
    float[] values = new float[OUT * IN];
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    WeightSource source = WeightSource.of(values, OUT, IN);
    weight =
        precision == Precision.NF4
            ? backend.nf4(List.of(Nf4.quantise(source)))
            : backend.dense(List.of(source), precision);
    x = backend.floats(tokens, IN);
    backend.fill(x, 0.5f);
    y = backend.floats(tokens, OUT);
  }

  @Benchmark
  public Tensor forward() {
    backend.linear(weight, x, 1, 0, y);
    return y;
  }

  @Benchmark
  public Tensor inputGradient() {
    backend.linearInputGradient(weight, y, 1, 0, x);
    return x;
  }

  @TearDown(Level.Trial)
  public void close() {
    weight.close();
    backend.close();
  }
}
