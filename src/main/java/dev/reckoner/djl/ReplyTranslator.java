package dev.reckoner.djl;

import ai.djl.ndarray.NDList;
import ai.djl.translate.NoBatchifyTranslator;
import ai.djl.translate.TranslatorContext;
import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.inference.Generation;
import java.util.List;

/** A user's message to the model's reply. */
final class ReplyTranslator implements NoBatchifyTranslator<String, String> {

  @Override
  public NDList processInput(TranslatorContext context, String message) {
    return request(context, message);
  }

  static NDList request(TranslatorContext context, String message) {
    ReckonerModel model = (ReckonerModel) context.getModel();
    return ReckonerBlock.wrap(
        context.getPredictorManager(),
        model
            .reasoner()
            .request(List.of(ChatMessage.user(message)), null, model.adapter(), model.options()));
  }

  @Override
  public String processOutput(TranslatorContext context, NDList list) {
    return ReckonerBlock.unwrap(list, Generation.class).text();
  }
}
