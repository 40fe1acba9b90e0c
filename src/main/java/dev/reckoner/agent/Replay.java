package dev.reckoner.agent;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.FinishReason;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.GenerationListener;
import dev.reckoner.inference.InferenceException;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.inference.Request;
import dev.reckoner.inference.Sampler;
import dev.reckoner.reasoning.ChainGrammar;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import jakarta.enterprise.context.ApplicationScoped;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/**
 * Writes an analysis a second time from what its lineage recorded (base, adapter, prompt, grammar,
 * sampler, seed) and compares the two token by token.
 *
 * <p>The same base, adapter, prompt and grammar are required: with others the request would be
 * another one. Another engine build or backend is not: whether it still gives the same tokens is
 * what a replay is to find out.
 */
@ApplicationScoped
public class Replay {

  private static final ObjectMapper JSON = new ObjectMapper();

  private final ServingModel model;

  public Replay(ServingModel model) {
    this.model = model;
  }

  /**
   * What was recorded.
   *
   * @param chain the text that was written
   * @param adapterDirectory the files of the adapter, used unless that adapter serves now; {@code
   *     null} if there are none
   */
  public record Recorded(Evidence evidence, String chain, Lineage lineage, Path adapterDirectory) {}

  /**
   * How the second text compares with the first.
   *
   * @param divergedAt the first token that is not the recorded one, counted from 1; {@code null} if
   *     there is none
   * @param recorded the recorded text from the token on that differs, at most one line; {@code
   *     null} if identical
   * @param replayed the same of the second text
   * @param step position of the step in which they part, from 0; {@code null} if identical
   * @param tokens tokens of the second text
   * @param promptTokens tokens of its prompt
   * @param notes what is not as it was, though it need not matter: engine build, backend
   */
  public record Comparison(
      Integer divergedAt,
      String recorded,
      String replayed,
      Integer step,
      int tokens,
      int promptTokens,
      List<String> notes,
      Duration took) {

    public boolean identical() {
      return divergedAt == null;
    }
  }

  /** A recording that this process cannot write again; the message says what is missing. */
  public static final class NotReplayable extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public NotReplayable(String message) {
      super(message);
    }
  }

  /**
   * Writes the text again.
   *
   * @param limit the longest to wait, for the engine and for the text together
   * @throws NotReplayable if base, adapter, prompt or grammar are not what was recorded
   * @throws InferenceException if the model cannot serve now
   * @throws TimeoutException if it takes longer than {@code limit}
   * @throws InterruptedException if the caller is interrupted; the request is cancelled
   */
  public Comparison of(Recorded recorded, Duration limit)
      throws InterruptedException, TimeoutException {
    Lineage lineage = recorded.lineage();
    Reasoner reasoner = model.reasoner();
    require("base model", lineage.baseModelHash(), reasoner.modelHash());
    require("prompt version", lineage.promptVersion(), PromptFormat.VERSION);
    require(
        "grammar version",
        lineage.grammarVersion(),
        new ChainGrammar(recorded.evidence()).version());
    Reasoner.Options options =
        new Reasoner.Options(
            sampler(lineage),
            Math.max(model.options().maxTokens(), lineage.generatedTokens()),
            limit);
    LoraAdapter own = serves(lineage) ? null : load(recorded, reasoner);
    try {
      Generation generation =
          await(
              slot -> reasoner.request(recorded.evidence(), adapter(lineage, own, slot), options),
              limit);
      return compare(recorded, generation, reasoner);
    } finally {
      if (own != null) {
        reasoner.engine().retire(own);
      }
    }
  }

  private static void require(String what, String recorded, String here) {
    if (!Objects.equals(recorded, here)) {
      throw new NotReplayable(
          "It was written with %s %s, and this process has %s"
              .formatted(what, abbreviated(recorded), abbreviated(here)));
    }
  }

  private static Sampler sampler(Lineage lineage) {
    try {
      JsonNode json = JSON.readTree(lineage.sampler());
      if (!json.path("temperature").isNumber()) {
        throw new NotReplayable("Its sampler was not recorded in a form that can be read");
      }
      double temperature = json.get("temperature").asDouble();
      return temperature == 0
          ? Sampler.GREEDY
          : new Sampler(
              temperature,
              json.path("topK").asInt(0),
              json.path("topP").asDouble(1),
              lineage.seed());
    } catch (JsonProcessingException | IllegalArgumentException e) {
      throw new NotReplayable("Its sampler cannot be read: " + e.getMessage());
    }
  }

  private boolean serves(Lineage lineage) {
    return lineage.adapterId() == null || is(lineage, model.current());
  }

  private static boolean is(Lineage lineage, Optional<AdapterSlot.Serving> serving) {
    return serving.isPresent() && serving.get().hash().equals(lineage.adapterHash());
  }

  private static LoraAdapter load(Recorded recorded, Reasoner reasoner) {
    Lineage lineage = recorded.lineage();
    if (recorded.adapterDirectory() == null) {
      throw new NotReplayable("Its adapter " + lineage.adapterId() + " is not kept here");
    }
    LoraAdapter adapter = reasoner.load(recorded.adapterDirectory());
    if (!adapter.hash().equals(lineage.adapterHash())) {
      reasoner.engine().retire(adapter);
      throw new NotReplayable(
          "Adapter %s is not the one that wrote it: its hash is %s, recorded was %s"
              .formatted(
                  lineage.adapterId(),
                  abbreviated(adapter.hash()),
                  abbreviated(lineage.adapterHash())));
    }
    return adapter;
  }

  private static LoraAdapter adapter(Lineage lineage, LoraAdapter own, ServingModel.Slot slot) {
    if (lineage.adapterId() == null || own != null) {
      return own;
    }
    if (!is(lineage, Optional.ofNullable(slot.serving()))) {
      throw new NotReplayable("Another adapter came into service this moment: try again");
    }
    return slot.adapter();
  }

  private Generation await(Function<ServingModel.Slot, Request> request, Duration limit)
      throws InterruptedException, TimeoutException {
    CompletableFuture<Generation> written = new CompletableFuture<>();
    ServingModel.Submission submission =
        model.submit(
            request,
            new GenerationListener() {
              @Override
              public void onFinish(Generation generation) {
                written.complete(generation);
              }

              @Override
              public void onFailure(RuntimeException failure) {
                written.completeExceptionally(failure);
              }
            });
    try {
      Generation generation = written.get(limit.toMillis(), TimeUnit.MILLISECONDS);
      if (generation.finish() == FinishReason.TIME) {
        throw new TimeoutException("the text took longer than " + limit.toSeconds() + " s");
      }
      return generation;
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException failure
          ? failure
          : new InferenceException(e.getCause().getMessage(), e.getCause());
    } finally {
      submission.ticket().cancel(); // without effect on what has ended
    }
  }

  private Comparison compare(Recorded recorded, Generation generation, Reasoner reasoner) {
    List<String> notes = new ArrayList<>();
    Lineage lineage = recorded.lineage();
    note(notes, "engine build", lineage.engineBuild(), model.build());
    note(notes, "backend", lineage.backend(), reasoner.backendName());
    if (generation.promptTokens() != lineage.promptTokens()) {
      note(
          notes,
          "prompt length",
          lineage.promptTokens() + " tokens",
          generation.promptTokens() + " tokens");
    }
    int at = divergence(recorded.chain(), generation.tokens(), reasoner.tokenizer());
    if (at < 0 && generation.tokens().length != lineage.generatedTokens()) {
      // The same text in other tokens; where they part is not recorded.
      at = Math.min(generation.tokens().length, lineage.generatedTokens());
    }
    if (at < 0) {
      return new Comparison(
          null,
          null,
          null,
          null,
          generation.tokens().length,
          generation.promptTokens(),
          notes,
          generation.took());
    }
    String before = reasoner.tokenizer().decode(Arrays.copyOf(generation.tokens(), at));
    int from = Math.min(before.length(), recorded.chain().length());
    return new Comparison(
        at + 1,
        line(recorded.chain(), from),
        line(generation.text(), Math.min(from, generation.text().length())),
        (int) before.lines().count() - (before.isEmpty() || before.endsWith("\n") ? 0 : 1),
        generation.tokens().length,
        generation.promptTokens(),
        notes,
        generation.took());
  }

  /**
   * The position of the first token that does not go on like {@code text}; the number of tokens if
   * {@code text} goes on beyond them, and -1 if they write exactly {@code text}.
   */
  static int divergence(String text, int[] tokens, GemmaTokenizer tokenizer) {
    byte[] wanted = text.getBytes(StandardCharsets.UTF_8);
    int at = 0;
    for (int i = 0; i < tokens.length; i++) {
      byte[] piece = tokenizer.bytes(tokens[i]);
      int end = at + piece.length;
      if (end > wanted.length || !Arrays.equals(wanted, at, end, piece, 0, piece.length)) {
        return i;
      }
      at = end;
    }
    return at == wanted.length ? -1 : tokens.length;
  }

  /** The rest of the line; the end of the text shows as such. */
  private static String line(String text, int from) {
    int end = text.indexOf('\n', from);
    String rest = text.substring(from, end < 0 ? text.length() : end);
    return rest.isEmpty() ? (end < 0 ? "(end)" : "(new line)") : rest;
  }

  private static void note(List<String> notes, String what, String recorded, String here) {
    if (!recorded.equals(here)) {
      notes.add("%s was %s, is %s".formatted(what, recorded, here));
    }
  }

  private static String abbreviated(String hash) {
    return hash == null ? "none" : hash.length() > 12 ? hash.substring(0, 12) : hash;
  }
}
