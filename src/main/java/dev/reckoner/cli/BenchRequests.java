package dev.reckoner.cli;

import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.InferenceEngine;
import dev.reckoner.inference.Request;
import dev.reckoner.inference.Sampler;
import dev.reckoner.reasoning.ChainGrammar;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.TextConstraint;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Whole requests to the engine: a page of about 900 tokens whose first 300 are shared, and a chain
 * of up to 150 tokens under the grammar. With random weights a chain says nothing, but is valid.
 */
final class BenchRequests implements AutoCloseable {

  static final int SHARED = 300;

  private static final int PROMPT = 900;
  private static final int WRITTEN = 150;

  /** Fewer tokens than this are no whole chain to time. */
  private static final int ENOUGH = 140;

  private static final int SEEDS = 12;
  private static final Duration LIMIT = Duration.ofMinutes(5);

  private final InferenceEngine engine;
  private final Evidence evidence;
  private final int[] prompt;
  private Sampler sampler = Sampler.GREEDY;

  /** The model belongs to the engine until this is closed. */
  BenchRequests(Gemma3 model, GemmaTokenizer tokenizer) {
    Evidence page = page(0);
    int[] tokens = tokens(tokenizer, page);
    for (int sentences = 1; tokens.length < PROMPT; sentences++) {
      page = page(sentences);
      tokens = tokens(tokenizer, page);
    }
    evidence = page;
    prompt = tokens;
    engine = new InferenceEngine(model, tokenizer, InferenceEngine.Limits.DEFAULT);
  }

  private static int[] tokens(GemmaTokenizer tokenizer, Evidence page) {
    return tokenizer.chat(
        List.of(
            ChatMessage.system(PromptFormat.INSTRUCTION),
            ChatMessage.user(new PromptFormat().render(page))),
        true);
  }

  private static Evidence page(int sentences) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("(in millions)", "2025", "2024", "2023"));
    String[] items = {"Net sales", "Cost of sales", "Gross profit", "Operating income"};
    for (int i = 0; i < items.length; i++) {
      String base = i + 3 + "";
      rows.add(List.of(items[i], base + ",412.5", base + ",187.0", base + ",055.2"));
    }
    List<String> text = new ArrayList<>();
    for (int s = 1; s <= sentences; s++) {
      text.add(
          String.format(
              Locale.ROOT,
              "In region %d, net sales were $%d.%d million in 2025, compared with $%d.%d million in"
                  + " 2024, as volumes and prices changed.",
              s,
              100 + 7 * s,
              s % 10,
              90 + 5 * s,
              s * 3 % 10));
    }
    return new Evidence(
        "A company, annual report 2025",
        "By how many percent did net sales grow in 2025?",
        List.of(new Evidence.Table("Statements of income", rows)),
        text);
  }

  int[] prompt() {
    return prompt.clone();
  }

  /**
   * Looks for a seed under which the chain is long enough to time.
   *
   * @return tokens that each analysis writes from now on
   */
  int settle() {
    for (int seed = 1; seed <= SEEDS; seed++) {
      sampler = new Sampler(1, 0, 1, seed);
      int written = generate(chain()).tokens().length;
      if (written >= ENOUGH) {
        return written;
      }
    }
    throw new UserException(
        "no chain of %d tokens in %d tries: this model concludes early, time it with --shape"
            .formatted(ENOUGH, SEEDS));
  }

  /** Seconds of one analysis, its shared beginning in the prefix cache. */
  double analysis() {
    return seconds(chain());
  }

  private Request chain() {
    return request(prompt, SHARED, new ChainGrammar(evidence), WRITTEN);
  }

  /**
   * Seconds to the first token.
   *
   * @param shared tokens that are kept in the prefix cache, or 0
   */
  double firstToken(int[] tokens, int shared) {
    return seconds(request(tokens, shared, null, 1));
  }

  private Request request(int[] tokens, int shared, TextConstraint constraint, int written) {
    return new Request(tokens, shared, constraint, null, sampler, written, LIMIT);
  }

  private double seconds(Request request) {
    long began = System.nanoTime();
    generate(request);
    return (System.nanoTime() - began) / 1e9;
  }

  private Generation generate(Request request) {
    try {
      return engine.generate(request);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UserException("interrupted", e);
    }
  }

  /**
   * The chain grammar as far as GBNF can say it: results of expressions and the names of steps are
   * free where the engine's own grammar computes or counts them. At least 20 steps, so that nothing
   * ends early.
   */
  String gbnf() {
    String figures =
        new ChainGrammar(evidence)
            .citations().stream()
                .map(c -> '"' + c.replace("\\", "\\\\").replace("\"", "\\\"") + '"')
                .collect(Collectors.joining(" | "));
    return """
    root ::= step{20,26} "conclude " name " = " number
    step ::= (cite | compute | infer) "\\n"
    cite ::= "cite " name " = " figure
    figure ::= %s
    compute ::= "compute " name " = " expression " = " number
    expression ::= term (" " [-+*/] " " term){1,3}
    term ::= name | constant | "(" name " " [-+*/] " " name ")"
    constant ::= "100" | "12" | "4" | "2" | "1"
    infer ::= "infer " name ("," name){0,3} " : " word (" " word){3,24} "."
    word ::= [A-Za-z]{1,16}
    name ::= [a-z]
    number ::= "-"? [0-9]{1,9} ("." [0-9]{1,4})? "%%"?
    """
        .formatted(figures);
  }

  @Override
  public void close() {
    engine.close();
  }
}
