package dev.reckoner.inference;

import dev.reckoner.gemma.Answer;
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
   * The next {@code n} tokens for the cache. Behind the last one there is stands a question: which
   * allowed token is the most likely, or what are their logits; where the allowed ones are too many
   * to list, which tokens are likely at all.
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
    if (!last) {
      return new Segment(cache, tokens, request.adapter(), 0, null);
    }
    int[] allowed = transcript.allowed();
    Segment.Wanted wanted =
        allowed == null
            ? Segment.Wanted.LIKELY
            : request.sampler().greedy() ? Segment.Wanted.MOST_LIKELY : Segment.Wanted.LOGITS;
    return new Segment(cache, tokens, request.adapter(), 1, allowed, wanted);
  }

  /**
   * Picks the next token.
   *
   * @return why the generation ended, or {@code null} where it goes on
   */
  FinishReason pick(Answer answer) {
    return switch (answer) {
      case Answer.None() -> throw new IllegalStateException("nothing was asked");
      case Answer.MostLikely(int index, double logProbability) -> {
        requireFinite((float) logProbability);
        int[] allowed = transcript.allowed();
        yield pick(allowed[index], logProbability, allowed.length);
      }
      case Answer.Logits(float[][] rows) -> {
        requireFinite(rows[0]);
        yield pick(transcript.candidates(rows[0]));
      }
      case Answer.Likely likely -> {
        requireFinite(likely.logits());
        Candidates some = transcript.candidates(likely.ids(), likely.logits(), likely.floor());
        if (some == null) {
          float[] all = likely.all().get();
          requireFinite(all);
          some = transcript.candidates(all);
        }
        yield pick(some);
      }
    };
  }

  private FinishReason pick(Candidates candidates) {
    int n = candidates.ids().length;
    int picked = request.sampler().pick(candidates.logits(), n, random);
    return pick(
        candidates.ids()[picked], Sampler.logProbability(candidates.logits(), n, picked), n);
  }

  private FinishReason pick(int token, double logProbability, int allowed) {
    choices.add(new Choice(token, transcript.length(), logProbability, allowed));
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

  private static void requireFinite(float... scores) {
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
