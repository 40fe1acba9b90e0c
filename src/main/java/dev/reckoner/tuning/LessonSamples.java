package dev.reckoner.tuning;

import dev.reckoner.corpus.Lesson;
import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.gemma.TokenizedChat;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Lessons as the sequences that a trainer sees. Chains are learned, except what the calculator
 * writes into them when they are decoded: the results of expressions and the value that a
 * conclusion repeats. No model can foretell most digits of a quotient, and their loss would drown
 * that of the choices which are the model's.
 */
public final class LessonSamples {

  /** A calculated value: from the space behind the equals sign to its end. */
  private static final Pattern CALCULATED =
      Pattern.compile("(?m)^(?:compute \\w+ = .* =|conclude \\w+ =)( [^=\\n;]*?)(?: ;.*)?$");

  private final GemmaTokenizer tokenizer;
  private final int reading;

  /**
   * @param reading how many percent of the lessons have their evidence learned as well
   */
  public LessonSamples(GemmaTokenizer tokenizer, int reading) {
    this.tokenizer = tokenizer;
    this.reading = reading;
  }

  /** The sequence of a lesson with all its questions. */
  public Sample of(Lesson lesson) {
    List<ChatMessage> turns = new ArrayList<>();
    turns.add(ChatMessage.system(lesson.system()));
    turns.add(ChatMessage.user(lesson.user()));
    turns.add(ChatMessage.assistant(lesson.assistant()));
    for (Lesson.Turn turn : lesson.further()) {
      turns.add(ChatMessage.user(turn.user()));
      turns.add(ChatMessage.assistant(turn.assistant()));
    }
    return of(tokenizer, turns, Math.floorMod(lesson.id().hashCode(), 100) < reading);
  }

  /** The sequence of a conversation of which what the assistant says is learned. */
  public static Sample of(GemmaTokenizer tokenizer, List<ChatMessage> turns) {
    return of(tokenizer, turns, false);
  }

  private static Sample of(GemmaTokenizer tokenizer, List<ChatMessage> turns, boolean read) {
    TokenizedChat chat = tokenizer.chatForTraining(turns);
    int[] tokens = chat.tokens();
    boolean[] learned = chat.supervised().clone();
    int at = 0;
    for (ChatMessage turn : turns) {
      if (turn.role() != ChatMessage.Role.ASSISTANT) {
        continue;
      }
      while (!chat.supervised()[at]) {
        learned[at++] = read;
      }
      at = withoutCalculated(tokenizer, turn.content().strip(), tokens, at, learned);
      while (at < tokens.length && chat.supervised()[at]) {
        at++;
      }
    }
    return new Sample(tokens, learned);
  }

  /**
   * Unmarks the tokens of one chain that lie wholly inside a calculated value.
   *
   * @return the place behind the chain's tokens
   */
  private static int withoutCalculated(
      GemmaTokenizer tokenizer, String chain, int[] tokens, int from, boolean[] learned) {
    Matcher value = CALCULATED.matcher(chain);
    boolean more = value.find();
    int length = bytes(chain);
    int at = from;
    int done = 0;
    while (done < length) {
      int next = done + tokenizer.bytes(tokens[at]).length;
      while (more && bytes(chain.substring(0, value.end(1))) <= done) {
        more = value.find();
      }
      if (more
          && bytes(chain.substring(0, value.start(1))) <= done
          && next <= bytes(chain.substring(0, value.end(1)))) {
        learned[at] = false;
      }
      done = next;
      at++;
    }
    return at;
  }

  private static int bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8).length;
  }
}
