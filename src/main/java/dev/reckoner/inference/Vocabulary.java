package dev.reckoner.inference;

import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.reasoning.TextConstraint;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;

/** The tokens of a tokenizer by what a model may do with them. */
final class Vocabulary {

  private final GemmaTokenizer tokenizer;
  private final TokenTrie trie;
  private final String[] pieces;
  private final int[] lengths;
  private final int[] free;
  private final BitSet writable = new BitSet();
  private final BitSet stops = new BitSet();

  Vocabulary(GemmaTokenizer tokenizer) {
    this.tokenizer = tokenizer;
    this.pieces = new String[tokenizer.vocabularySize()];
    Map<String, Integer> byText = new HashMap<>();
    for (int id = 0; id < pieces.length; id++) {
      String text = tokenizer.special(id) ? null : wholeCharacters(tokenizer.bytes(id));
      if (text == null) {
        continue;
      }
      Integer twin = byText.putIfAbsent(text, id);
      if (twin == null) {
        pieces[id] = text;
      } else if (Arrays.equals(tokenizer.encode(text, false), new int[] {id})) {
        // A character's own piece and its byte-fallback piece read the same: keep the one that the
        // tokenizer writes.
        pieces[twin] = null;
        pieces[id] = text;
        byText.put(text, id);
      }
    }
    this.lengths = Arrays.stream(pieces).mapToInt(p -> p == null ? 0 : p.length()).toArray();
    this.trie = new TokenTrie(pieces);
    IntStream.of(tokenizer.stopIds()).forEach(stops::set);
    for (int id = 0; id < pieces.length; id++) {
      writable.set(id, !tokenizer.special(id) || stops.get(id));
    }
    this.free = writable.stream().toArray();
  }

  private static String wholeCharacters(byte[] utf8) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
    } catch (CharacterCodingException e) {
      return null; // part of a character
    }
  }

  GemmaTokenizer tokenizer() {
    return tokenizer;
  }

  TokenTrie trie() {
    return trie;
  }

  /** Up to how many allowed tokens are listed; more are looked for among the likely ones. */
  int few() {
    return Math.min(512, pieces.length / 4);
  }

  /** The text of a token that the trie offers; {@code null} of others. */
  String piece(int id) {
    return pieces[id];
  }

  /** Characters of a piece; 0 where there is none. Kept apart: strings lie all over the heap. */
  int length(int id) {
    return lengths[id];
  }

  /** Whether {@code state} allows every character of a token. */
  boolean allows(TextConstraint.State state, int id) {
    return pieces[id] != null && state.after(pieces[id]) != null;
  }

  /** What may be written without a constraint: all text and the stop tokens, ascending. */
  int[] free() {
    return free;
  }

  /** Whether {@code id} is among {@link #free}. */
  boolean isFree(int id) {
    return writable.get(id);
  }

  boolean isStop(int id) {
    return stops.get(id);
  }
}
