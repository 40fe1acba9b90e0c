package dev.reckoner.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Attention's gradients are shared out by sequences where there are many for the threads, else by
 * blocks of queries and of keys: with the same bits.
 */
class AttentionSharesTest {
  private static final int HEAD = 40;
  private static final int HEADS = 4;
  private static final int KV_HEADS = 2;
  private static final int[] SEQUENCES = {0, 150, 151, 215, 300};

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 37, 64, 100})
  void howTheWorkIsSharedOutChangesNoBit(int window) {
    List<float[]> bySequences = gradients(1, window);
    List<float[]> byBlocks = gradients(5, window);
    for (int i = 0; i < bySequences.size(); i++) {
      for (float value : bySequences.get(i)) {
        assertFalse(Float.isNaN(value));
      }
      assertArrayEquals(byBlocks.get(i), bySequences.get(i));
    }
  }

  private static List<float[]> gradients(int threads, int window) {
    SplittableRandom random = new SplittableRandom(11);
    int tokens = SEQUENCES[SEQUENCES.length - 1];
    List<float[]> gradients = new ArrayList<>();
    try (CpuBackend b = CpuBackend.open(threads)) {
      Tensor q = random(b, random, tokens, HEADS * HEAD);
      Tensor k = random(b, random, tokens, KV_HEADS * HEAD);
      Tensor v = random(b, random, tokens, KV_HEADS * HEAD);
      Tensor dOut = random(b, random, tokens, HEADS * HEAD);
      Tensor out = b.activations(tokens, HEADS * HEAD);
      Tensor logSumExp = b.floats(tokens, HEADS);
      Indices sequences = b.indices(SEQUENCES);
      b.attention(q, k, v, sequences, HEAD, window, 0.3f, out, logSumExp);
      Tensor dq = b.activations(tokens, HEADS * HEAD);
      Tensor dk = b.activations(tokens, KV_HEADS * HEAD);
      Tensor dv = b.activations(tokens, KV_HEADS * HEAD);
      b.attentionGradient(dOut, q, k, v, out, logSumExp, sequences, HEAD, window, 0.3f, dq, dk, dv);
      for (Tensor t : List.of(dq, dk, dv)) {
        float[] values = new float[Math.toIntExact(t.size())];
        b.download(t, values);
        gradients.add(values);
      }
    }
    return gradients;
  }

  private static Tensor random(CpuBackend b, SplittableRandom random, int rows, int columns) {
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    Tensor t = b.activations(rows, columns);
    b.upload(values, t);
    return t;
  }
}
