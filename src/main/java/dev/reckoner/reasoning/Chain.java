package dev.reckoner.reasoning;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A chain of reasoning: steps, and the conclusion as the last of them.
 *
 * <p>A chain that a person wrote may lack a conclusion or refer to steps that do not exist; that is
 * the {@link Verifier}'s to say. What a chain cannot be is empty, unreadable, or name two steps
 * alike.
 */
public record Chain(List<Step> steps) {

  /** More lines than a grammar lets a model write; a bound for what is read. */
  public static final int MAX_LINES = 64;

  /** The longest line that is read. */
  public static final int MAX_LINE = 600;

  private static final Pattern CITE =
      Pattern.compile("cite ([a-z]) = (?:(.+) : )?([^:]+) @ (\\S+)");
  private static final Pattern COMPUTE = Pattern.compile("compute ([a-z]) = ([^=]+?) = ([^=]+)");
  private static final Pattern INFER = Pattern.compile("infer ([a-z](?:,[a-z])*) : (.+)");
  private static final Pattern CONCLUDE =
      Pattern.compile("conclude (?:([a-z]) = )?([^;]+?)(?: ; stance ([a-z]+) ; flags ([a-z,-]+))?");

  public Chain {
    steps = List.copyOf(steps);
    if (steps.isEmpty()) {
      throw new IllegalArgumentException("a chain has at least one step");
    }
    Set<String> names = new HashSet<>();
    for (int i = 0; i < steps.size(); i++) {
      Step step = steps.get(i);
      if (step.name() != null && !names.add(step.name())) {
        throw new IllegalArgumentException("two steps are named " + step.name());
      }
      if (step instanceof Step.Conclude && i < steps.size() - 1) {
        throw new IllegalArgumentException("the conclusion is the last step");
      }
    }
  }

  /** One step a line, without a line break at the end. */
  public String text() {
    return steps.stream().map(Step::text).collect(Collectors.joining("\n"));
  }

  /** The last step, where it is a conclusion. */
  public Optional<Step.Conclude> conclusion() {
    return steps.getLast() instanceof Step.Conclude conclude
        ? Optional.of(conclude)
        : Optional.empty();
  }

  /** The answer as text, for example {@code 20.9632 %}; empty where there is no conclusion. */
  public String answer() {
    return conclusion().map(c -> c.answer().text()).orElse("");
  }

  /** The step of that name. */
  public Optional<Step> step(String name) {
    return steps.stream().filter(s -> name.equals(s.name())).findFirst();
  }

  /**
   * Reads what {@link #text} writes; blank lines are skipped and surrounding space is dropped.
   *
   * @throws ChainSyntaxException with the place of the first thing that cannot be read
   */
  public static Chain parse(String text) throws ChainSyntaxException {
    List<Step> steps = new ArrayList<>();
    String[] lines = text.split("\n", -1);
    if (lines.length > MAX_LINES) {
      throw new ChainSyntaxException(MAX_LINES + 1, 1, "more than " + MAX_LINES + " lines");
    }
    Set<String> names = new HashSet<>();
    boolean concluded = false;
    for (int i = 0; i < lines.length; i++) {
      if (lines[i].isBlank()) {
        continue;
      }
      if (concluded) {
        throw new ChainSyntaxException(i + 1, 1, "nothing may follow the conclusion");
      }
      Step step = parseLine(lines[i], i + 1);
      if (step.name() != null && !names.add(step.name())) {
        throw new ChainSyntaxException(i + 1, 1, "a step named " + step.name() + " exists already");
      }
      concluded = step instanceof Step.Conclude;
      steps.add(step);
    }
    if (steps.isEmpty()) {
      throw new ChainSyntaxException(1, 1, "no step");
    }
    return new Chain(steps);
  }

  /**
   * Reads one line.
   *
   * @param number the line's number, for the exception
   */
  static Step parseLine(String raw, int number) throws ChainSyntaxException {
    String line = raw.strip();
    if (line.length() > MAX_LINE) {
      throw new ChainSyntaxException(number, MAX_LINE, "the line is too long");
    }
    int space = line.indexOf(' ');
    String keyword = space < 0 ? line : line.substring(0, space);
    Pattern pattern =
        switch (keyword) {
          case "cite" -> CITE;
          case "compute" -> COMPUTE;
          case "infer" -> INFER;
          case "conclude" -> CONCLUDE;
          default ->
              throw new ChainSyntaxException(
                  number, 1, "a step begins with cite, compute, infer or conclude");
        };
    Matcher m = pattern.matcher(line);
    if (!m.matches()) {
      throw new ChainSyntaxException(number, keyword.length() + 1, "expected " + shape(keyword));
    }
    int group = 1;
    try {
      switch (keyword) {
        case "cite" -> {
          group = 2;
          String label = m.group(2) == null ? "" : m.group(2);
          group = 3;
          Figure figure = Figure.parse(m.group(3));
          group = 4;
          return new Step.Cite(m.group(1), label, figure, Place.parse(m.group(4)));
        }
        case "compute" -> {
          group = 3;
          return new Step.Compute(m.group(1), m.group(2), Outcome.parse(m.group(3)));
        }
        case "infer" -> {
          group = 2;
          return new Step.Infer(List.of(m.group(1).split(",")), m.group(2));
        }
        default -> {
          group = 2;
          Outcome answer = Outcome.parse(m.group(2));
          group = 3;
          Stance stance = m.group(3) == null ? null : Stance.parse(m.group(3));
          group = 4;
          return new Step.Conclude(m.group(1), answer, stance, flags(m.group(4)));
        }
      }
    } catch (IllegalArgumentException e) {
      throw new ChainSyntaxException(number, Math.max(1, m.start(group) + 1), e.getMessage());
    }
  }

  private static List<Flag> flags(String text) {
    if (text == null || text.equals("none")) {
      return List.of();
    }
    List<Flag> flags = new ArrayList<>();
    for (String flag : text.split(",", -1)) {
      flags.add(Flag.parse(flag));
    }
    return flags;
  }

  private static String shape(String keyword) {
    return switch (keyword) {
      case "cite" -> "'cite a = LABEL : FIGURE @ PLACE' or 'cite a = FIGURE @ PLACE'";
      case "compute" -> "'compute a = EXPRESSION = RESULT'";
      case "infer" -> "'infer a,b : SENTENCE'";
      default -> "'conclude a = OUTCOME', with '; stance S ; flags F' where asked";
    };
  }

  /** The JSON form; its schema is {@code schemas/chain.schema.json}. */
  public ObjectNode toJson() {
    return ChainJson.write(this);
  }

  /**
   * Reads what {@link #toJson} writes.
   *
   * @throws ChainSyntaxException where it is not a chain; the line is the number of the step
   */
  public static Chain fromJson(JsonNode json) throws ChainSyntaxException {
    return ChainJson.read(json);
  }
}
