package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.KeyValues;

/** bf16 keys {@code [layers, capacity, width]}, then values alike. */
final class CudaKeyValues implements KeyValues {
  private final Device device;
  private final int layers;
  private final int width;
  private final int capacity;
  private final long address;
  private boolean closed;

  CudaKeyValues(Device device, int layers, int width, int capacity) {
    this.device = device;
    this.layers = layers;
    this.width = width;
    this.capacity = capacity;
    address = device.allocate(bytes());
  }

  long keys() {
    return address;
  }

  long values() {
    return address + bytes() / 2;
  }

  /** Elements from one layer to the next. */
  long layerStride() {
    return (long) capacity * width;
  }

  int width() {
    return width;
  }

  /** Copies the first {@code tokens} tokens of every layer to {@code to}. */
  void copyTo(CudaKeyValues to, int tokens) {
    long bytes = 2L * tokens * width;
    for (int l = 0; l < layers; l++) {
      long from = 2 * l * layerStride();
      long into = 2 * l * to.layerStride();
      device.copy(to.keys() + into, keys() + from, bytes);
      device.copy(to.values() + into, values() + from, bytes);
    }
  }

  @Override
  public int capacity() {
    return capacity;
  }

  @Override
  public long bytes() {
    return 4L * layers * capacity * width;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      device.free(address);
    }
  }
}
