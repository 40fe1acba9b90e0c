package dev.reckoner.inference;

import dev.reckoner.reasoning.TextConstraint;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.function.IntPredicate;

/**
 * Which tokens the states of one request's constraint allow. A token is walked through the
 * constraint once for all states that are alike: in running text nearly every token of a large
 * vocabulary is asked about, again and again, and the answer seldom changes. Not thread-safe.
 */
final class AllowedTokens {

  /** Of 262,144 tokens each takes 64 KiB. */
  private static final int MOST = 16;

  private final Vocabulary vocabulary;
  private final SequencedMap<Object, Answers> known = new LinkedHashMap<>();

  AllowedTokens(Vocabulary vocabulary) {
    this.vocabulary = vocabulary;
  }

  private record Answers(BitSet asked, BitSet allowed) {}

  /** Whether {@code state} allows every character of a token, by its id. */
  IntPredicate in(TextConstraint.State state) {
    TextConstraint.Likeness likeness = state.likeness();
    if (likeness == null) {
      return id -> vocabulary.allows(state, id);
    }
    int length = likeness.length();
    Answers answers = answers(likeness.key());
    return id -> {
      if (vocabulary.length(id) > length) {
        return vocabulary.allows(state, id);
      }
      if (!answers.asked.get(id)) {
        answers.asked.set(id);
        answers.allowed.set(id, vocabulary.allows(state, id));
      }
      return answers.allowed.get(id);
    };
  }

  /** Those for {@code key}; where there is no room, what was asked for longest ago goes. */
  private Answers answers(Object key) {
    Answers answers = known.remove(key);
    if (answers == null) {
      answers = new Answers(new BitSet(), new BitSet());
      if (known.size() == MOST) {
        known.pollFirstEntry();
      }
    }
    known.put(key, answers);
    return answers;
  }
}
