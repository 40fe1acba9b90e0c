package dev.reckoner.inference;

import dev.reckoner.reasoning.TextConstraint;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * What one request has written: text, tokens and the constraint's state, kept in step. It decides
 * what comes next without the model's help: forced text, or the tokens among which the model picks.
 *
 * <p><b>Tokenisation of forced text.</b> Training tokenises a whole chain at once, so the tokens in
 * the cache should be those of the text as a whole and not those of its fragments. Three rules see
 * to it. (1) When text is forced, the line it stands on is tokenised afresh from its beginning; the
 * tokens that differ from those in the cache are replaced and the cache is rolled back to the first
 * of them. Tokens of finished lines stay: a line break is a boundary of Gemma's tokenizer and of
 * the ones made here. (2) The end of forced text is not written where a token could reach beyond it
 * (a blank that belongs to the word behind it, the first letters of a word): the next pick starts
 * there and the constraint sees to it that it follows the forced text. (3) Where one token only is
 * allowed, it is written without asking the model.
 */
final class Transcript {

  private static final int[] NONE = {};

  /** How far below the best allowed token, in nats, a token is not worth looking at. */
  private static final float REACH = 24;

  private final Vocabulary vocabulary;
  private final AllowedTokens allowedTokens;
  private final int limit;
  private final boolean constrained;
  private final StringBuilder text = new StringBuilder();
  private int[] tokens = new int[64];
  private int count;
  private int settled;
  private int lineToken;
  private int lineChar;
  private int choices;
  private TextConstraint.State state;
  private int[] allowed;

  // Without a constraint a token may be part of a character: its bytes wait here for the rest.
  private final CharsetDecoder utf8 =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPLACE)
          .onUnmappableCharacter(CodingErrorAction.REPLACE);
  private ByteBuffer partial = ByteBuffer.allocate(256);

  /**
   * @param constraint what may be written, or {@code null} for anything
   * @param limit most tokens; nothing is forced beyond it
   */
  Transcript(Vocabulary vocabulary, TextConstraint constraint, int limit) {
    this.vocabulary = vocabulary;
    this.allowedTokens = new AllowedTokens(vocabulary);
    this.limit = limit;
    this.constrained = constraint != null;
    if (constrained) {
      state = constraint.start();
      settle();
    } else {
      allowed = vocabulary.free();
    }
  }

  String text() {
    return text.toString();
  }

  int length() {
    return text.length();
  }

  String textFrom(int offset) {
    return text.substring(offset);
  }

  int count() {
    return count;
  }

  int[] tokens() {
    return Arrays.copyOf(tokens, count);
  }

  /** Tokens written without a choice. */
  int forced() {
    return count - Math.min(count, choices);
  }

  /** How many tokens are known to stay as they are, so that the cache may hold them. */
  int stable() {
    return settled;
  }

  /** The tokens the cache lacks when it holds the first {@code from} of them. */
  int[] tokensFrom(int from) {
    return Arrays.copyOfRange(tokens, from, count);
  }

  /** Whether the text may end here. */
  boolean complete() {
    return constrained && state.accepting();
  }

  /**
   * The ids the model picks from next, ascending; empty at the end of the text or limit, {@code
   * null} where they are too many to list.
   */
  int[] allowed() {
    return allowed;
  }

  /**
   * What to pick from.
   *
   * <p>In running text nearly every token is allowed, and to ask the constraint about a whole
   * vocabulary would take longer than the model. So the likely tokens are asked about first, and
   * those more than {@value #REACH} nats below the best allowed one never are: even with 262,144 of
   * them they would share less than 1e-5 of the probability.
   *
   * @param logits of {@link #allowed}, or of the whole vocabulary
   */
  Candidates candidates(float[] logits) {
    if (allowed != null) {
      return logits.length == allowed.length
          ? new Candidates(allowed, logits)
          : Candidates.of(allowed, logits);
    }
    return likely(Candidates.of(vocabulary.free(), logits), Float.NEGATIVE_INFINITY);
  }

  /**
   * The same, where they are too many to list, from the likely tokens alone.
   *
   * @param ids ascending; all tokens whose logit is not below {@code known}
   * @return {@code null} where less likely tokens matter too
   */
  Candidates candidates(int[] ids, float[] logits, float known) {
    int[] free = new int[ids.length];
    float[] scores = new float[ids.length];
    int n = 0;
    for (int i = 0; i < ids.length; i++) {
      if (vocabulary.isFree(ids[i])) {
        free[n] = ids[i];
        scores[n++] = logits[i];
      }
    }
    return likely(new Candidates(Arrays.copyOf(free, n), Arrays.copyOf(scores, n)), known);
  }

  private Candidates likely(Candidates among, float known) {
    int[] free = among.ids();
    float[] logits = among.logits();
    IntPredicate allows = allowedTokens.in(state);
    float top = Float.NEGATIVE_INFINITY;
    for (float logit : logits) {
      top = Math.max(top, logit);
    }
    int[] places = new int[64];
    int found = 0;
    float best = Float.NEGATIVE_INFINITY;
    float above = Float.POSITIVE_INFINITY;
    float floor = top - REACH;
    while (floor >= known) {
      float lowest = Float.POSITIVE_INFINITY;
      for (int i = 0; i < free.length; i++) {
        float logit = logits[i];
        if (logit >= floor && logit < above) {
          if (isEnd(free[i]) ? ends(free[i]) : allows.test(free[i])) {
            places = found == places.length ? Arrays.copyOf(places, found * 2) : places;
            places[found++] = i;
            best = Math.max(best, logit);
          }
        } else if (logit < floor) {
          lowest = Math.min(lowest, logit);
        }
      }
      boolean exhausted = known == Float.NEGATIVE_INFINITY && lowest == Float.POSITIVE_INFINITY;
      if (exhausted || (found > 0 && floor <= best - REACH)) {
        places = Arrays.copyOf(places, found);
        Arrays.sort(places);
        int[] ids = Arrays.stream(places).map(i -> free[i]).toArray();
        return new Candidates(ids, Candidates.of(places, logits).logits());
      }
      above = floor;
      floor = found > 0 ? best - REACH : floor - REACH;
    }
    return null;
  }

  private boolean ends(int id) {
    return state.accepting() && id == vocabulary.tokenizer().endOfTurn();
  }

  /** Whether {@code id} ends the text instead of adding to it. */
  boolean isEnd(int id) {
    return vocabulary.isStop(id);
  }

  /**
   * Adds a token the model picked among {@link #allowed}, and whatever is forced behind it.
   * Afterwards {@link #stable} tells how much of the cache is still good.
   */
  void append(int id) {
    choices++;
    settled = count;
    add(id);
    if (constrained) {
      write(id);
      settle();
    } else {
      decode(vocabulary.tokenizer().bytes(id));
      allowed = count < limit ? allowed : NONE;
    }
  }

  private void add(int id) {
    if (count == tokens.length) {
      tokens = Arrays.copyOf(tokens, count * 2);
    }
    tokens[count++] = id;
  }

  /** Takes over the text of a token that was just added. */
  private void write(int id) {
    String piece = vocabulary.piece(id);
    advance(piece);
    if (piece.endsWith("\n")) {
      retokeniseLine();
    }
  }

  private void advance(String piece) {
    for (int i = 0; i < piece.length(); i++) {
      state = state.next(piece.charAt(i));
      if (state == null) {
        throw new InferenceException(
            "the constraint refused \"%s\" after offering it".formatted(piece));
      }
    }
    text.append(piece);
  }

  /** Replaces the tokens of the last line by those that training would have. */
  private void retokeniseLine() {
    int[] canonical = vocabulary.tokenizer().encode(text.substring(lineChar), false);
    int same = 0;
    while (same < canonical.length
        && lineToken + same < count
        && tokens[lineToken + same] == canonical[same]) {
      same++;
    }
    count = lineToken + same;
    settled = Math.min(settled, count);
    for (int i = same; i < canonical.length; i++) {
      add(canonical[i]);
    }
    if (text.charAt(text.length() - 1) == '\n') {
      lineToken = count;
      lineChar = text.length();
    }
  }

  /** Writes all that needs no decision, then finds what the model may pick from. */
  private void settle() {
    while (true) {
      if (count >= limit) {
        allowed = NONE;
        return;
      }
      String forced = closed(state.forced());
      if (!forced.isEmpty()) {
        force(forced);
        continue;
      }
      int[] ids = vocabulary.trie().allowed(state, vocabulary.few());
      if (ids == null) {
        allowed = null;
        return;
      }
      if (state.accepting()) {
        // Nothing but the end: no need to ask for it.
        allowed = ids.length == 0 ? ids : withEnd(ids);
        return;
      }
      if (ids.length == 0) {
        force(onlyCharacter());
      } else if (ids.length == 1) {
        add(ids[0]);
        write(ids[0]);
      } else {
        allowed = ids;
        return;
      }
    }
  }

  /** {@code forced} up to where no token that reaches beyond its end could begin. */
  private String closed(String forced) {
    if (forced.isEmpty() || forced.endsWith("\n")) {
      return forced;
    }
    TextConstraint.State[] before = new TextConstraint.State[forced.length()];
    TextConstraint.State at = state;
    for (int i = 0; i < before.length; i++) {
      if (at == null) {
        throw new InferenceException(
            "the constraint refuses \"%s\" after forcing it".formatted(forced));
      }
      before[i] = at;
      at = at.next(forced.charAt(i));
    }
    int[] canonical = vocabulary.tokenizer().encode(text.substring(lineChar) + forced, false);
    int end = forced.length();
    int start = end;
    for (int i = canonical.length - 1; i >= 0; i--) {
      String piece = vocabulary.piece(canonical[i]);
      if (piece == null) {
        break;
      }
      // The first of these tokens may begin before the forced text.
      int last = start;
      start = Math.max(0, start - piece.length());
      // Also from within the token: " = " is one token, but " = a" is " =" and " a".
      for (int from = start; from < last; from++) {
        if (vocabulary.trie().reachesBeyond(before[from], forced.length() - from)) {
          end = start;
          break;
        }
      }
      if (start == 0) {
        break;
      }
      if (Character.isWhitespace(piece.charAt(0))) {
        break; // the beginning of the last word
      }
    }
    return forced.substring(0, end);
  }

  private void force(String forced) {
    advance(forced);
    retokeniseLine();
  }

  /**
   * The single character that may follow where no token fits: one outside the vocabulary, which the
   * tokenizer writes as bytes.
   */
  private String onlyCharacter() {
    int found = -1;
    for (int c = 0; c <= Character.MAX_VALUE; c++) {
      if (state.next((char) c) != null) {
        if (found >= 0) {
          found = -1;
          break;
        }
        found = c;
      }
    }
    if (found < 0 || Character.isSurrogate((char) found)) {
      throw new InferenceException(
          "the vocabulary has no token for what may follow \"%s\""
              .formatted(text.substring(Math.max(0, text.length() - 40))));
    }
    return Character.toString((char) found);
  }

  private int[] withEnd(int[] ids) {
    int end = vocabulary.tokenizer().endOfTurn();
    int[] all = Arrays.copyOf(ids, ids.length + 1);
    all[ids.length] = end;
    Arrays.sort(all);
    return all;
  }

  private void decode(byte[] bytes) {
    if (partial.remaining() < bytes.length) {
      partial.flip();
      partial = ByteBuffer.allocate(2 * (partial.remaining() + bytes.length)).put(partial);
    }
    partial.put(bytes).flip();
    CharBuffer chars = CharBuffer.allocate(partial.remaining() + 1);
    utf8.decode(partial, chars, false);
    partial.compact();
    text.append(chars.flip());
  }

  /** To be called when nothing more follows: a character cut in two becomes U+FFFD. */
  void end() {
    if (partial.position() > 0) {
      partial.clear();
      text.append('\uFFFD');
    }
  }
}
