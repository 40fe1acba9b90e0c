package dev.reckoner.djl;

import ai.djl.inference.streaming.StreamingBlock;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.djl.util.passthrough.PassthroughNDArray;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.GenerationListener;
import dev.reckoner.inference.InferenceException;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.inference.Request;
import dev.reckoner.inference.Ticket;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** A {@link Request} in, a {@link Generation} out, or its text piece by piece. */
final class ReckonerBlock extends AbstractBlock implements StreamingBlock {

  private final Reasoner reasoner;

  ReckonerBlock(Reasoner reasoner) {
    this.reasoner = reasoner;
  }

  static NDList wrap(NDManager manager, Object object) {
    return new NDList(new PassthroughNDArray(manager, object));
  }

  /**
   * @throws IllegalArgumentException where the list holds arrays instead
   */
  static <T> T unwrap(NDList list, Class<T> type) {
    if (list.size() == 1
        && list.getFirst() instanceof PassthroughNDArray array
        && type.isInstance(array.getObject())) {
      return type.cast(array.getObject());
    }
    throw new IllegalArgumentException(
        "the engine Reckoner reads a %s, not arrays: use a translator of ReckonerTranslatorFactory"
            .formatted(type.getSimpleName()));
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore parameters,
      NDList inputs,
      boolean training,
      PairList<String, Object> settings) {
    if (training) {
      throw new UnsupportedOperationException(
          "the engine Reckoner trains with dev.reckoner.tuning, not through DJL");
    }
    try {
      Generation generation = reasoner.engine().generate(unwrap(inputs, Request.class));
      return wrap(inputs.getManager(), generation);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InferenceException("interrupted while the model was writing", e);
    }
  }

  @Override
  public Iterator<NDList> forwardStreamIter(
      ParameterStore parameters,
      NDList inputs,
      boolean training,
      PairList<String, Object> settings) {
    NDManager manager = inputs.getManager();
    Pieces pieces = new Pieces();
    Ticket ticket = reasoner.engine().submit(unwrap(inputs, Request.class), pieces);
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return pieces.hasNext(ticket);
      }

      @Override
      public NDList next() {
        return wrap(manager, pieces.next(ticket));
      }
    };
  }

  /** Pieces of text on their way from the engine to whoever iterates. */
  private static final class Pieces implements GenerationListener {

    private record Piece(String text, RuntimeException failure) {}

    private static final Piece END = new Piece(null, null);

    private final BlockingQueue<Piece> queue = new LinkedBlockingQueue<>();
    private Piece ahead;

    @Override
    public void onText(String more) {
      queue.add(new Piece(more, null));
    }

    @Override
    public void onFinish(Generation generation) {
      queue.add(END);
    }

    @Override
    public void onFailure(RuntimeException failure) {
      queue.add(new Piece(null, failure));
    }

    boolean hasNext(Ticket ticket) {
      if (ahead == null) {
        try {
          ahead = queue.take();
        } catch (InterruptedException e) {
          ticket.cancel();
          Thread.currentThread().interrupt();
          throw new InferenceException("interrupted while the model was writing", e);
        }
      }
      if (ahead.failure != null) {
        throw ahead.failure;
      }
      return ahead != END;
    }

    String next(Ticket ticket) {
      if (!hasNext(ticket)) {
        throw new NoSuchElementException("the text is at its end");
      }
      String text = ahead.text;
      ahead = null;
      return text;
    }
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    throw new UnsupportedOperationException("what the engine Reckoner writes has no shape");
  }
}
