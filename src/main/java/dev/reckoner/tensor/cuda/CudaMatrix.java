package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Precision;

/**
 * A weight in device memory: bf16 row-major, or NF4 codes with an fp32 scale for each 64.
 *
 * @param values bf16 {@code [rows, columns]}, or packed codes
 * @param scales fp32 scales of NF4 blocks; 0 for bf16
 * @param master what {@link CudaBackend#refresh} copies from; null for frozen weights
 */
record CudaMatrix(Device device, int rows, int columns, long values, long scales, CudaTensor master)
    implements Matrix {

  static CudaMatrix of(Matrix m) {
    return (CudaMatrix) m;
  }

  boolean isNf4() {
    return scales != 0;
  }

  @Override
  public Precision precision() {
    return isNf4() ? Precision.NF4 : Precision.BF16;
  }

  @Override
  public long bytes() {
    long n = (long) rows * columns;
    return isNf4() ? n / 2 + n / 16 : 2 * n;
  }

  @Override
  public void close() {
    device.free(values);
    if (isNf4()) {
      device.free(scales);
    }
  }
}
