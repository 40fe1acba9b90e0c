package dev.reckoner.tensor;

/** How the weights of a {@link Matrix} are held. */
public enum Precision {
  /** 4-bit NormalFloat in blocks of 64 with double-quantised scales: 4.127 bits a weight. */
  NF4,
  /** 8-bit integers in blocks of 64 with an fp32 scale: 8.5 bits a weight; for large embeddings. */
  INT8,
  /** bfloat16: 2 bytes a weight. */
  BF16,
  /** IEEE single precision: 4 bytes a weight. */
  FP32
}
