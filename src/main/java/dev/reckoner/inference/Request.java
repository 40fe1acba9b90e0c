package dev.reckoner.inference;

import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.reasoning.TextConstraint;
import java.time.Duration;
import java.util.Objects;

/**
 * One text to be written.
 *
 * @param prompt token ids, BOS first
 * @param sharedPrefix how many of the first prompt tokens other requests are likely to share (an
 *     instruction); their keys and values are computed once an adapter and kept. 0 for none
 * @param constraint what may be written, or {@code null} for anything
 * @param adapter the adapter to serve with, or {@code null} for the bare base model
 * @param sampler how tokens are picked
 * @param maxTokens most tokens to write, forced ones included
 * @param timeLimit most time from when the engine takes the request up; waiting does not count
 */
public record Request(
    int[] prompt,
    int sharedPrefix,
    TextConstraint constraint,
    LoraAdapter adapter,
    Sampler sampler,
    int maxTokens,
    Duration timeLimit) {

  public Request {
    if (prompt.length == 0) {
      throw new IllegalArgumentException("the prompt is empty");
    }
    if (sharedPrefix < 0 || sharedPrefix >= prompt.length) {
      throw new IllegalArgumentException(
          "a shared prefix of %d tokens in a prompt of %d".formatted(sharedPrefix, prompt.length));
    }
    if (maxTokens < 1) {
      throw new IllegalArgumentException("maxTokens must be positive: " + maxTokens);
    }
    Objects.requireNonNull(sampler, "sampler");
    Objects.requireNonNull(timeLimit, "timeLimit");
  }
}
