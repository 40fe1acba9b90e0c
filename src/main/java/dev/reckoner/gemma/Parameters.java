package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Named fp32 parameters in one contiguous tensor, so that the optimiser and the gradient norm are
 * one operation each.
 */
public final class Parameters implements AutoCloseable {
  /** A named matrix {@code [rows, columns]} that begins at {@code offset}. */
  public record Entry(String name, long offset, int rows, int columns) {
    public int size() {
      return Math.multiplyExact(rows, columns);
    }
  }

  /** Collects entries; their order is their order in memory. */
  static final class Layout {
    private final List<Entry> entries = new ArrayList<>();
    private long size;

    Entry add(String name, int rows, int columns) {
      Entry entry = new Entry(name, size, rows, columns);
      entries.add(entry);
      size += entry.size();
      return entry;
    }

    Parameters allocate(Backend backend) {
      return new Parameters(backend, List.copyOf(entries), Math.toIntExact(size));
    }
  }

  private final Backend backend;
  private final List<Entry> entries;
  private final Tensor values;
  private Tensor gradients;

  private Parameters(Backend backend, List<Entry> entries, int size) {
    this.backend = backend;
    this.entries = entries;
    values = backend.floats(1, size);
  }

  public List<Entry> entries() {
    return entries;
  }

  public int size() {
    return values.columns();
  }

  /** All values {@code [1, size]}. */
  public Tensor values() {
    return values;
  }

  /** All gradients {@code [1, size]}, zero when first asked for. */
  public Tensor gradients() {
    if (gradients == null) {
      gradients = backend.floats(1, size());
    }
    return gradients;
  }

  Tensor value(Entry e) {
    return values.slice(e.offset(), e.rows(), e.columns());
  }

  Tensor gradient(Entry e) {
    return gradients().slice(e.offset(), e.rows(), e.columns());
  }

  /** A host copy of one entry. */
  public float[] read(Entry e) {
    float[] host = new float[e.size()];
    backend.download(value(e), host);
    return host;
  }

  void write(Entry e, float[] host) {
    backend.upload(host, value(e));
  }

  /** Gives the gradients' memory back; the next backward pass starts from zero. */
  public void dropGradients() {
    if (gradients != null) {
      gradients.close();
      gradients = null;
    }
  }

  @Override
  public void close() {
    values.close();
    dropGradients();
  }
}
