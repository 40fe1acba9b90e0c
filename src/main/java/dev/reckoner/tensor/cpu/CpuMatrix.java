package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.Matrix;

/** A weight {@code W [out, in]} as the two right operands it is multiplied as. */
sealed interface CpuMatrix extends Matrix permits PackedMatrix, Bf16Matrix, BlockMatrix {
  /** B = W^T {@code [in, out]}, for {@code y = x W^T}. */
  Panels forward();

  /** B = W {@code [out, in]}, for {@code dx = dy W}. */
  Panels backward();

  /** Row {@code row} as fp32, for embedding look-ups. */
  void row(int row, float[] into, int offset);
}
