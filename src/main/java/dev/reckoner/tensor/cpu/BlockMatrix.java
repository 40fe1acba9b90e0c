package dev.reckoner.tensor.cpu;

/** Weights quantised in blocks of 64 inputs with an fp32 scale for each output and block. */
sealed interface BlockMatrix extends CpuMatrix permits Nf4Matrix, Int8Matrix {
  /** Unpacks a block: code values {@code [64][32]}, not scaled, and the scales {@code [32]}. */
  void codes(int panel, int block, float[] codes, float[] scales);
}
