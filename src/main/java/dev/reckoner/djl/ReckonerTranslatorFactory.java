package dev.reckoner.djl;

import ai.djl.Model;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.translate.TranslateException;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorFactory;
import ai.djl.util.Pair;
import dev.reckoner.inference.Reasoned;
import dev.reckoner.reasoning.Evidence;
import java.lang.reflect.Type;
import java.util.Map;
import java.util.Set;

/**
 * What a predictor may be asked: a message for its reply ({@code String} to {@code String}, or
 * {@code Input} to {@code Output}, which streams too), or evidence for a verified chain ({@code
 * Evidence} to {@code Reasoned}).
 */
public final class ReckonerTranslatorFactory implements TranslatorFactory {

  @Override
  public Set<Pair<Type, Type>> getSupportedTypes() {
    return Set.of(
        new Pair<>(String.class, String.class),
        new Pair<>(Input.class, Output.class),
        new Pair<>(Evidence.class, Reasoned.class));
  }

  /**
   * @throws TranslateException for other types than {@link #getSupportedTypes}
   */
  @Override
  @SuppressWarnings("unchecked")
  public <I, O> Translator<I, O> newInstance(
      Class<I> input, Class<O> output, Model model, Map<String, ?> arguments)
      throws TranslateException {
    if (input == String.class && output == String.class) {
      return (Translator<I, O>) new ReplyTranslator();
    }
    if (input == Input.class && output == Output.class) {
      return (Translator<I, O>) new StreamingReplyTranslator();
    }
    if (input == Evidence.class && output == Reasoned.class) {
      return (Translator<I, O>) new ChainTranslator();
    }
    throw new TranslateException(
        "the engine Reckoner turns String into String, Input into Output and Evidence into"
            + " Reasoned, not %s into %s".formatted(input.getName(), output.getName()));
  }
}
