package dev.reckoner.djl;

import ai.djl.inference.streaming.IteratorBytesSupplier;
import ai.djl.inference.streaming.StreamingTranslator;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.ndarray.BytesSupplier;
import ai.djl.ndarray.NDList;
import ai.djl.translate.NoBatchifyTranslator;
import ai.djl.translate.TranslatorContext;
import dev.reckoner.inference.Generation;
import java.util.stream.Stream;

/**
 * A user's message to the model's reply in DJL's envelopes. Streamed, the output's data is an
 * {@link IteratorBytesSupplier} of UTF-8 pieces, each of whole characters.
 */
final class StreamingReplyTranslator
    implements NoBatchifyTranslator<Input, Output>, StreamingTranslator<Input, Output> {

  @Override
  public NDList processInput(TranslatorContext context, Input input) {
    BytesSupplier data = input.getContent().isEmpty() ? null : input.getData();
    if (data == null) {
      throw new IllegalArgumentException("the input has no data: add the message to it");
    }
    return ReplyTranslator.request(context, data.getAsString());
  }

  @Override
  public Output processOutput(TranslatorContext context, NDList list) {
    Output output = new Output(200, "OK");
    output.add(ReckonerBlock.unwrap(list, Generation.class).text());
    return output;
  }

  @Override
  public StreamOutput<Output> processStreamOutput(
      TranslatorContext context, Stream<NDList> pieces) {
    return new StreamOutput<>() {
      @Override
      protected Output buildAsyncOutput() {
        throw new UnsupportedOperationException("read the output piece by piece");
      }

      @Override
      protected void computeAsyncOutputInternal(Output output) {
        throw new UnsupportedOperationException("read the output piece by piece");
      }

      @Override
      public Output getIterativeOutputInternal() {
        Output output = new Output(200, "OK");
        output.add(
            new IteratorBytesSupplier(
                pieces
                    .map(list -> BytesSupplier.wrap(ReckonerBlock.unwrap(list, String.class)))
                    .iterator()));
        return output;
      }
    };
  }

  @Override
  public Support getSupport() {
    return Support.ITERATIVE;
  }
}
