package dev.reckoner.reasoning;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * Evidence as the text that a model reads, and back without loss.
 *
 * <pre>
 * # V 2008, page 17                     title
 * t0 Payment networks, 2007             caption of the first table; left out where empty
 * r0 company|payments volume|cards      a row: its address, then its cells
 * r1 visa inc.|$ 2457|1592
 * s0 Figures exclude Visa Europe.       a sentence
 * q What is the average volume a card?  the question; "q! " where a stance is asked for too
 * </pre>
 *
 * <p>A further table's rows read {@code t1.r0}. Every address is the one that a chain cites by. A
 * cell that begins with a letter is set off by a space, because tokenizers know words with the
 * space before them; digits stand right at the bar, which saves a token a cell.
 */
public final class PromptFormat {

  /** What the model is asked to do; the system message. Short, because it is paid by the token. */
  public static final String INSTRUCTION =
      "Answer with a chain: cite figures, compute from them, conclude.";

  /** Identifies instruction and layout; prompts of two versions must not be mixed in training. */
  public static final String VERSION = hash("prompt 1\n" + INSTRUCTION);

  private static final Pattern CAPTION = Pattern.compile("t(\\d{1,4}) (.*)", Pattern.DOTALL);
  private static final Pattern ROW =
      Pattern.compile("(?:t(\\d{1,4})\\.)?r(\\d{1,5})(?: (.*))?", Pattern.DOTALL);
  private static final Pattern SENTENCE = Pattern.compile("s(\\d{1,5}) (.*)", Pattern.DOTALL);

  /** The user message for evidence. */
  public String render(Evidence evidence) {
    StringBuilder out = new StringBuilder("# ").append(escape(evidence.title()));
    for (int t = 0; t < evidence.tables().size(); t++) {
      Evidence.Table table = evidence.tables().get(t);
      if (!table.caption().isEmpty() || table.rows().isEmpty()) {
        out.append("\nt").append(t).append(' ').append(escape(table.caption()));
      }
      for (int r = 0; r < table.rows().size(); r++) {
        out.append('\n').append(Place.Cell.rowAddress(t, r));
        List<String> cells = table.rows().get(r);
        for (int c = 0; c < cells.size(); c++) {
          out.append(c == 0 ? ' ' : '|');
          cell(cells.get(c), c > 0, out);
        }
      }
    }
    for (int s = 0; s < evidence.sentences().size(); s++) {
      out.append("\ns").append(s).append(' ').append(escape(evidence.sentences().get(s)));
    }
    return out.append(evidence.stance() ? "\nq! " : "\nq ")
        .append(escape(evidence.question()))
        .toString();
  }

  /**
   * Reads what {@link #render} writes.
   *
   * @throws EvidenceSyntaxException where the text is not rendered evidence
   */
  public Evidence parse(String prompt) throws EvidenceSyntaxException {
    String[] lines = prompt.split("\n", -1);
    if (!lines[0].startsWith("# ")) {
      throw new EvidenceSyntaxException(1, "expected '# TITLE'");
    }
    String title = unescape(lines[0].substring(2), 1);
    List<String> captions = new ArrayList<>();
    List<List<List<String>>> tables = new ArrayList<>();
    List<String> sentences = new ArrayList<>();
    for (int i = 1; i < lines.length; i++) {
      String line = lines[i];
      Matcher m;
      if (line.startsWith("q ") || line.startsWith("q! ")) {
        if (i < lines.length - 1) {
          throw new EvidenceSyntaxException(i + 2, "nothing may follow the question");
        }
        boolean stance = line.charAt(1) == '!';
        String question = unescape(line.substring(stance ? 3 : 2), i + 1);
        if (question.isBlank()) {
          throw new EvidenceSyntaxException(i + 1, "the question is blank");
        }
        List<Evidence.Table> all = new ArrayList<>();
        for (int t = 0; t < tables.size(); t++) {
          all.add(new Evidence.Table(captions.get(t), tables.get(t)));
        }
        return new Evidence(title, question, all, sentences, stance);
      } else if ((m = SENTENCE.matcher(line)).matches()) {
        expect(sentences.size(), m.group(1), i + 1);
        sentences.add(unescape(m.group(2), i + 1));
      } else if (!sentences.isEmpty()) {
        throw new EvidenceSyntaxException(i + 1, "expected a sentence or the question");
      } else if ((m = CAPTION.matcher(line)).matches()) {
        expect(tables.size(), m.group(1), i + 1);
        captions.add(unescape(m.group(2), i + 1));
        tables.add(new ArrayList<>());
      } else if ((m = ROW.matcher(line)).matches()) {
        int table = m.group(1) == null ? 0 : Integer.parseInt(m.group(1));
        if (table == tables.size() && m.group(2).equals("0")) {
          captions.add("");
          tables.add(new ArrayList<>());
        }
        expect(tables.size() - 1, String.valueOf(table), i + 1);
        expect(tables.getLast().size(), m.group(2), i + 1);
        tables.getLast().add(cells(m.group(3), i + 1));
      } else {
        throw new EvidenceSyntaxException(i + 1, "expected a row, a sentence or the question");
      }
    }
    throw new EvidenceSyntaxException(lines.length, "the question is missing");
  }

  /** Whether a message is rendered evidence. */
  public boolean isEvidence(String message) {
    if (!message.startsWith("# ")) {
      return false;
    }
    try {
      parse(message);
      return true;
    } catch (EvidenceSyntaxException e) {
      return false;
    }
  }

  private static void expect(int expected, String found, int line) throws EvidenceSyntaxException {
    if (!found.equals(String.valueOf(expected))) {
      throw new EvidenceSyntaxException(
          line, "expected number " + expected + " here, not " + found);
    }
  }

  static void cell(String text, boolean barBefore, StringBuilder out) {
    String escaped = escape(text).replace("|", "\\|");
    if (barBefore && !escaped.isEmpty() && Character.isLetter(escaped.codePointAt(0))) {
      out.append(' ').append(escaped);
    } else if (escaped.startsWith(" ")) {
      out.append('\\').append(escaped);
    } else {
      out.append(escaped);
    }
  }

  private static List<String> cells(String text, int line) throws EvidenceSyntaxException {
    if (text == null) {
      return List.of();
    }
    List<String> cells = new ArrayList<>();
    int start = 0;
    for (int i = 0; i <= text.length(); i++) {
      if (i == text.length() || text.charAt(i) == '|') {
        String raw = text.substring(start, i);
        cells.add(unescape(raw.startsWith(" ") ? raw.substring(1) : raw, line));
        start = i + 1;
      } else if (text.charAt(i) == '\\') {
        i++;
      }
    }
    return cells;
  }

  private static String escape(String text) {
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r");
  }

  private static String unescape(String text, int line) throws EvidenceSyntaxException {
    if (text.indexOf('\\') < 0) {
      return text;
    }
    StringBuilder out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c != '\\') {
        out.append(c);
        continue;
      }
      if (++i == text.length()) {
        throw new EvidenceSyntaxException(line, "a backslash with nothing after it");
      }
      switch (text.charAt(i)) {
        case 'n' -> out.append('\n');
        case 'r' -> out.append('\r');
        case '\\', '|', ' ' -> out.append(text.charAt(i));
        default -> throw new EvidenceSyntaxException(line, "no such escape: \\" + text.charAt(i));
      }
    }
    return out.toString();
  }

  /** The first 16 hexadecimal digits of a text's SHA-256. */
  static String hash(String text) {
    return DigestUtils.sha256Hex(text).substring(0, 16);
  }
}
