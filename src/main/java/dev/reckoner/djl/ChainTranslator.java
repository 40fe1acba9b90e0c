package dev.reckoner.djl;

import ai.djl.ndarray.NDList;
import ai.djl.translate.NoBatchifyTranslator;
import ai.djl.translate.TranslateException;
import ai.djl.translate.TranslatorContext;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.Reasoned;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;

/** Evidence to a chain under the grammar, with a verdict on each step. */
final class ChainTranslator implements NoBatchifyTranslator<Evidence, Reasoned> {

  private static final String EVIDENCE = "evidence";

  @Override
  public NDList processInput(TranslatorContext context, Evidence evidence) {
    ReckonerModel model = (ReckonerModel) context.getModel();
    context.setAttachment(EVIDENCE, evidence);
    return ReckonerBlock.wrap(
        context.getPredictorManager(),
        model.reasoner().request(evidence, model.adapter(), model.options()));
  }

  @Override
  public Reasoned processOutput(TranslatorContext context, NDList list) throws TranslateException {
    Generation generation = ReckonerBlock.unwrap(list, Generation.class);
    try {
      return Reasoned.of((Evidence) context.getAttachment(EVIDENCE), generation);
    } catch (ChainSyntaxException e) {
      throw new TranslateException(
          "the model did not conclude (%s): %s".formatted(generation.finish(), e.getMessage()), e);
    }
  }
}
