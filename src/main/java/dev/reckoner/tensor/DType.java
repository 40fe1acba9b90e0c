package dev.reckoner.tensor;

/** Element types of tensors in safetensors files that this project reads or writes. */
public enum DType {
  F32(4),
  BF16(2),
  F16(2),
  U8(1);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes an element. */
  public int bytes() {
    return bytes;
  }
}
