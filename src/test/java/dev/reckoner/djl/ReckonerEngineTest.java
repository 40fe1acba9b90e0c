package dev.reckoner.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.engine.Engine;
import ai.djl.inference.Predictor;
import ai.djl.inference.streaming.IteratorBytesSupplier;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.util.passthrough.PassthroughNDArray;
import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.InferenceEngine;
import dev.reckoner.inference.Reasoned;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.inference.Sampler;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The bundled model through DJL. */
class ReckonerEngineTest {

  private static final String MESSAGE = "What was revenue in 2025?";
  private static final Reasoner.Options SHORT =
      new Reasoner.Options(Sampler.GREEDY, 24, Duration.ofSeconds(120));
  private static final Evidence EVIDENCE =
      new Evidence(
          "A company, annual report 2025",
          "What was the change in revenue from 2024 to 2025?",
          List.of(
              new Evidence.Table(
                  "Income",
                  List.of(
                      List.of("(in millions)", "2025", "2024"),
                      List.of("Revenue", "1,204", "1,100")))),
          List.of());

  @TempDir Path directory;

  private Path bundled() {
    return BundledModel.directory(directory);
  }

  private <I, O> Criteria.Builder<I, O> criteria(Class<I> input, Class<O> output) {
    return Criteria.builder()
        .setTypes(input, output)
        .optEngine("Reckoner")
        .optModelPath(bundled())
        .optOption("backend", "cpu")
        .optOption("maxTokens", "24")
        .optTranslatorFactory(new ReckonerTranslatorFactory());
  }

  private Reasoner direct() {
    return Reasoner.open(
        bundled(), Backends.open("cpu"), Precision.NF4, InferenceEngine.Limits.DEFAULT);
  }

  @Test
  void answersAsTheEngineDoes() throws Exception {
    String expected;
    try (Reasoner reasoner = direct()) {
      Generation generation =
          reasoner
              .engine()
              .generate(reasoner.request(List.of(ChatMessage.user(MESSAGE)), null, null, SHORT));
      expected = generation.text();
    }
    assertThat(expected).isNotEmpty();
    try (ZooModel<String, String> model = criteria(String.class, String.class).build().loadModel();
        Predictor<String, String> predictor = model.newPredictor()) {
      assertThat(predictor.predict(MESSAGE)).isEqualTo(expected);
      assertThat(predictor.batchPredict(List.of(MESSAGE, MESSAGE)))
          .containsExactly(expected, expected);
    }
  }

  @Test
  void streamedPiecesAreTheAnswerWhole() throws Exception {
    try (ZooModel<Input, Output> model = criteria(Input.class, Output.class).build().loadModel();
        Predictor<Input, Output> predictor = model.newPredictor()) {
      Input input = new Input();
      input.add(MESSAGE);
      String whole = predictor.predict(input).getData().getAsString();
      assertThat(whole).isNotEmpty();

      assertThat(predictor.supportsStreaming()).isTrue();
      Output streamed = predictor.streamingPredict(input).getIterativeOutput();
      StringBuilder text = new StringBuilder();
      int pieces = 0;
      IteratorBytesSupplier data = (IteratorBytesSupplier) streamed.getData();
      while (data.hasNext()) {
        text.append(new String(data.next(), StandardCharsets.UTF_8));
        pieces++;
      }
      assertThat(text.toString()).isEqualTo(whole);
      assertThat(pieces).isGreaterThan(1);
    }
  }

  @Test
  void evidenceBecomesAVerifiedChain() throws Exception {
    String expected;
    try (Reasoner reasoner = direct()) {
      expected = reasoner.reason(EVIDENCE, null, Reasoner.Options.DEFAULT).chain().text();
    }
    Criteria<Evidence, Reasoned> criteria =
        criteria(Evidence.class, Reasoned.class).optOption("maxTokens", "512").build();
    try (ZooModel<Evidence, Reasoned> model = criteria.loadModel();
        Predictor<Evidence, Reasoned> predictor = model.newPredictor()) {
      Reasoned reasoned = predictor.predict(EVIDENCE);
      assertThat(reasoned.chain().text()).isEqualTo(expected);
      assertThat(reasoned.verdicts()).hasSameSizeAs(reasoned.chain().steps());
    }
  }

  @Test
  void closingEndsTheEngine() throws Exception {
    ZooModel<String, String> model = criteria(String.class, String.class).build().loadModel();
    Reasoner reasoner = ((ReckonerModel) model.getWrappedModel()).reasoner();
    Predictor<String, String> predictor = model.newPredictor();
    model.close();
    assertThatThrownBy(() -> predictor.predict(MESSAGE))
        .hasMessageContaining("the model is not loaded, or closed");
    assertThatThrownBy(() -> reasoner.engine().between(m -> m.hash()))
        .hasMessageContaining("the inference engine is closed");
  }

  @Test
  void whatIsWrongIsSaidInOneSentence() throws Exception {
    Path empty = Files.createDirectory(directory.resolve("empty"));
    assertThatThrownBy(
            () -> criteria(String.class, String.class).optModelPath(empty).build().loadModel())
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("tokenizer.json: no such file; name the directory of a Gemma 3");
    assertThatThrownBy(
            () ->
                criteria(String.class, String.class)
                    .optOption("precission", "NF4")
                    .build()
                    .loadModel())
        .isInstanceOf(MalformedModelException.class)
        .hasMessageStartingWith("no option \"precission\": adapter, backend,");
    assertThatThrownBy(() -> criteria(String.class, Integer.class).build().loadModel())
        .isInstanceOf(ModelNotFoundException.class);
  }

  @Test
  void arraysAreRefused() throws Exception {
    Engine engine = Engine.getEngine("Reckoner");
    assertThat(Engine.getDefaultEngineName()).isNotEqualTo("Reckoner");
    assertThatThrownBy(() -> engine.newBaseManager().arange(0, 2, 1, DataType.FLOAT32))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("PassthroughNDManager");
    Criteria<NDList, NDList> criteria =
        Criteria.builder()
            .setTypes(NDList.class, NDList.class)
            .optEngine("Reckoner")
            .optModelPath(bundled())
            .optOption("backend", "cpu")
            .build();
    try (ZooModel<NDList, NDList> model = criteria.loadModel();
        Predictor<NDList, NDList> predictor = model.newPredictor()) {
      assertThatThrownBy(() -> predictor.predict(new NDList(new PassthroughNDArray("text"))))
          .hasStackTraceContaining("reads a Request, not arrays");
    }
  }
}
