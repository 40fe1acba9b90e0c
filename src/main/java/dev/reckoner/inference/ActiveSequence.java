package dev.reckoner.inference;

import dev.reckoner.gemma.KvCache;
import dev.reckoner.gemma.Segment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** A request the engine has taken up: its cache, what it has written, what it waits for. */
final class ActiveSequence {

  private final Request request;
  private final Ticket ticket;
  private final KvCache cache;
  private final Transcript transcript;
  private final ConfidenceMap calibration;
  private final SplittableRandom random;
  private final List<Choice> choices = new ArrayList<>();
  private final long queuedNanos;
  private final long startNanos;
  private int reused;
  private int told;

  ActiveSequence(
      Request request,
      Ticket ticket,
      KvCache cache,
      Vocabulary vocabulary,
      ConfidenceMap calibration,
      long submittedNanos) {
    this.request = request;
    this.ticket = ticket;
    this.cache = cache;
    this.calibration = calibration;
    this.startNanos = System.nanoTime();
    this.queuedNanos = startNanos - submittedNanos;
    this.random = request.sampler().stream();
    this.transcript = new Transcript(vocabulary, request.constraint(), request.maxTokens());
  }

  Request request() {
    return request;
  }

  Ticket ticket() {
    return ticket;
  }

  KvCache cache() {
    return cache;
  }

  /** Tokens of prompt and transcript that the cache lacks. */
  int pending() {
    return request.prompt().length + transcript.count() - cache.length();
  }

  boolean inPrompt() {
    return cache.length() < request.prompt().length;
  }

  boolean inSharedPrefix() {
    return cache.length() < request.sharedPrefix();
  }

  void reused(int tokens) {
    reused = tokens;
  }

  /**
   * The next {@code n} tokens for the cache. Logits are wanted behind the last one there is; only
   * those of the allowed tokens where these are few.
   */
  Segment segment(int n) {
    int from = cache.length();
    int[] prompt = request.prompt();
    int[] tokens;
    if (from + n <= prompt.length) {
      tokens = Arrays.copyOfRange(prompt, from, from + n);
    } else if (from >= prompt.length) {
      tokens = Arrays.copyOf(transcript.tokensFrom(from - prompt.length), n);
    } else {
      tokens = Arrays.copyOfRange(prompt, from, from + n);
      int[] written = transcript.tokensFrom(0);
      System.arraycopy(written, 0, tokens, prompt.length - from, from + n - prompt.length);
    }
    boolean last = n == pending();
    int[] rows = last && request.constraint() != null ? transcript.allowed() : null;
    return new Segment(cache, tokens, request.adapter(), last ? 1 : 0, rows);
  }

  /**
   * Picks the next token.
   *
   * @param logits of the allowed tokens, or of the whole vocabulary
   * @return why the generation ended, or {@code null} where it goes on
   */
  FinishReason pick(float[] logits) {
    requireFinite(logits);
    Candidates candidates = transcript.candidates(logits);
    int n = candidates.ids().length;
    int picked = request.sampler().pick(candidates.logits(), n, random);
    int token = candidates.ids()[picked];
    choices.add(
        new Choice(
            token, transcript.length(), Sampler.logProbability(candidates.logits(), n, picked), n));
    if (transcript.isEnd(token)) {
      return FinishReason.STOP;
    }
    transcript.append(token);
    int keep = request.prompt().length + transcript.stable();
    if (cache.length() > keep) {
      cache.truncate(keep);
    }
    tell();
    return transcriptEnd();
  }

  /** Whether what is written ends the generation without a further pick. */
  FinishReason transcriptEnd() {
    if (transcript.count() > request.maxTokens()) {
      return FinishReason.LENGTH; // forced text went beyond it
    }
    if (transcript.allowed() == null || transcript.allowed().length > 0) {
      return null;
    }
    return transcript.complete() ? FinishReason.STOP : FinishReason.LENGTH;
  }

  private static void requireFinite(float[] scores) {
    for (float score : scores) {
      if (!Float.isFinite(score)) {
        throw new InferenceException(
            "the model's output is not finite: its weights or the adapter are damaged");
      }
    }
  }

  boolean outOfTime() {
    return System.nanoTime() - startNanos > request.timeLimit().toNanos();
  }

  private void tell() {
    if (ticket.followed() && transcript.length() > told) {
      ticket.text(transcript.textFrom(told));
      told = transcript.length();
    }
  }

  void finish(FinishReason reason) {
    transcript.end();
    tell();
    cache.close();
    ticket.finish(
        new Generation(
            transcript.text(),
            transcript.tokens(),
            choices,
            reason,
            request.prompt().length,
            reused,
            transcript.forced(),
            Duration.ofNanos(queuedNanos),
            Duration.ofNanos(System.nanoTime() - startNanos),
            calibration));
  }

  void fail(RuntimeException failure) {
    cache.close();
    ticket.fail(failure);
  }
}
