package dev.reckoner.inference;

import dev.reckoner.reasoning.TextConstraint;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;

/**
 * A {@link Rule} as an automaton. A state holds every way the text so far can be read, each a stack
 * of rules still to be written, so common beginnings of alternatives need no look-ahead.
 */
public final class GrammarConstraint implements TextConstraint {

  /** A rule may force text for ever; more than this at once helps nobody. */
  private static final int MAX_FORCED = 4096;

  private final Ways start;
  private final String version;

  /**
   * @param rule what may be written
   * @param version a hash or name of everything the rule was made from
   */
  public GrammarConstraint(Rule rule, String version) {
    Collection<Stack> open = new ArrayList<>();
    boolean end = expand(new Stack(rule, null), open);
    this.start = new Ways(List.copyOf(open), end);
    this.version = Objects.requireNonNull(version);
  }

  @Override
  public State start() {
    return start;
  }

  @Override
  public String version() {
    return version;
  }

  /** A rule, then the rest; {@code null} is the end of the text. */
  private record Stack(Rule top, Stack below) {}

  /**
   * Adds to {@code open} every stack with a terminal on top that {@code stack} stands for.
   *
   * @return whether the text may end here
   */
  private static boolean expand(Stack stack, Collection<Stack> open) {
    if (stack == null) {
      return true;
    }
    return switch (stack.top()) {
      case Rule.Terminal terminal -> {
        boolean more = !(terminal instanceof Rule.Literal literal && literal.mayEnd());
        if (more) {
          open.add(stack);
        }
        yield terminal.mayEnd() && expand(stack.below(), open);
      }
      case Rule.Sequence(List<Rule> parts) -> {
        Stack all = stack.below();
        for (Rule part : parts.reversed()) {
          all = new Stack(part, all);
        }
        yield expand(all, open);
      }
      case Rule.OneOf(List<Rule> alternatives) -> {
        boolean end = false;
        for (Rule alternative : alternatives) {
          end |= expand(new Stack(alternative, stack.below()), open);
        }
        yield end;
      }
      case Rule.Repeat repeat -> {
        boolean end = repeat.count() >= repeat.min() && expand(stack.below(), open);
        if (repeat.count() < repeat.max()) {
          Stack again =
              new Stack(
                  new Rule.Repeat(
                      repeat.item(),
                      repeat.separator(),
                      repeat.min(),
                      repeat.max(),
                      repeat.count() + 1),
                  stack.below());
          Stack item = new Stack(repeat.item(), again);
          end |=
              expand(
                  repeat.count() == 0 ? item : new Stack(Rule.literal(repeat.separator()), item),
                  open);
        }
        yield end;
      }
      case Rule.Reference reference -> expand(new Stack(reference.target(), stack.below()), open);
    };
  }

  private record Ways(List<Stack> open, boolean accepting) implements State {

    @Override
    public State next(char c) {
      // One way is by far the most common, and needs no comparison of stacks.
      Collection<Stack> after = open.size() == 1 ? new ArrayList<>() : new LinkedHashSet<>();
      boolean end = false;
      boolean any = false;
      for (Stack way : open) {
        Rule.Terminal rest = ((Rule.Terminal) way.top()).after(c);
        if (rest != null) {
          any = true;
          end |= expand(new Stack(rest, way.below()), after);
        }
      }
      return any ? new Ways(List.copyOf(after), end) : null;
    }

    /** A string's characters are only counted, so far from its limit it goes on as it did. */
    @Override
    public Likeness likeness() {
      List<Stack> alike = new ArrayList<>();
      int length = Integer.MAX_VALUE;
      for (Stack way : open) {
        if (way.top() instanceof Rule.StringBody body && body.max() != Integer.MAX_VALUE) {
          length = Math.min(length, body.max());
          alike.add(new Stack(body.unlimited(), way.below()));
        } else {
          alike.add(way);
        }
      }
      return new Likeness(alike, length);
    }

    @Override
    public String forced() {
      StringBuilder text = new StringBuilder();
      Ways at = this;
      while (text.length() < MAX_FORCED
          && !at.accepting
          && at.open.size() == 1
          && at.open.getFirst().top() instanceof Rule.Literal literal) {
        text.append(literal.rest());
        Collection<Stack> after = new ArrayList<>();
        boolean end = expand(at.open.getFirst().below(), after);
        at = new Ways(List.copyOf(after), end);
      }
      return text.toString();
    }
  }
}
