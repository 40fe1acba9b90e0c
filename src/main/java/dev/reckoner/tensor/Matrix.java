package dev.reckoner.tensor;

/**
 * The weight {@code W [rows = out, columns = in]} of a linear layer in whatever layout and
 * precision the backend multiplies fastest. Opaque: it is read through {@link Backend#linear} and
 * its kin.
 */
public interface Matrix extends AutoCloseable {
  /** Output features. */
  int rows();

  /** Input features. */
  int columns();

  Precision precision();

  /** Bytes of backend memory held. */
  long bytes();

  @Override
  void close();
}
