package dev.reckoner.tensor.cuda;

/** Something about the GPU, its driver or its libraries failed; one line that says what to do. */
public final class CudaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public CudaException(String message) {
    super(message);
  }

  public CudaException(String message, Throwable cause) {
    super(message, cause);
  }
}
