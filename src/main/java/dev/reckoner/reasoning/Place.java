package dev.reckoner.reasoning;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a figure stands in an {@link Evidence}. All indices count from 0.
 *
 * <p>The address of a place is what prompt and chain write: {@code r3c2} is row 3, column 2 of the
 * first table, {@code t1.r3c2} the same cell of the second, {@code s4} the fifth sentence, {@code
 * q} the question.
 */
public sealed interface Place {

  /** The place as prompt and chain write it. */
  String address();

  /** A cell of table {@code table}; row 0 is the header. */
  record Cell(int table, int row, int column) implements Place {
    @Override
    public String address() {
      return rowAddress(table, row) + "c" + column;
    }

    static String rowAddress(int table, int row) {
      return table == 0 ? "r" + row : "t" + table + ".r" + row;
    }
  }

  /** A sentence. */
  record Sentence(int index) implements Place {
    @Override
    public String address() {
      return "s" + index;
    }
  }

  /** The question: it too can bring figures ("assuming a price of 20 a share"). */
  record Question() implements Place {
    @Override
    public String address() {
      return "q";
    }
  }

  /**
   * The place at an address.
   *
   * @throws IllegalArgumentException where it is not an address
   */
  static Place parse(String address) {
    Matcher m = Addresses.PATTERN.matcher(address);
    if (!m.matches()) {
      throw new IllegalArgumentException("not a place: " + address);
    }
    if (m.group(2) != null) {
      int table = m.group(1) == null ? 0 : Integer.parseInt(m.group(1));
      return new Cell(table, Integer.parseInt(m.group(2)), Integer.parseInt(m.group(3)));
    }
    return m.group(4) == null ? new Question() : new Sentence(Integer.parseInt(m.group(4)));
  }

  /** The shape of an address; an interface has no private constants. */
  final class Addresses {
    private static final Pattern PATTERN =
        Pattern.compile("(?:t(\\d{1,4})\\.)?r(\\d{1,5})c(\\d{1,5})|s(\\d{1,5})|q");

    private Addresses() {}
  }
}
