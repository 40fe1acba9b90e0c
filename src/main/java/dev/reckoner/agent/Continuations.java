package dev.reckoner.agent;

import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.inference.FinishReason;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.Reasoned;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.inference.Sampler;
import dev.reckoner.inference.Ticket;
import dev.reckoner.reasoning.ChainGrammar;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.TextConstraint;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Other ways to go on from the first steps of a chain: what the serving model writes when those
 * steps are given and the rest is drawn at random under the grammar.
 */
@ApplicationScoped
public class Continuations {

  private static final double TEMPERATURE = 0.9;

  private final ServingModel model;

  public Continuations(ServingModel model) {
    this.model = model;
  }

  /**
   * Draws continuations, all in one batch of the engine.
   *
   * @param prefix the steps to keep, one a line; may be empty
   * @param draws how many to draw
   * @return the different chains that came out, prefix included; those whose every step is verified
   *     come first. Empty where the grammar does not allow the prefix, or no draw came to an end
   * @throws InterruptedException if the caller is interrupted
   */
  public List<Reasoned> from(Evidence evidence, String prefix, int draws)
      throws InterruptedException {
    ChainGrammar grammar = new ChainGrammar(evidence);
    String given = prefix.isBlank() ? "" : grammar.figures().labelled(prefix.strip()) + "\n";
    TextConstraint.State after = grammar.start().after(given);
    if (after == null) {
      return List.of();
    }
    TextConstraint constraint = new Given(grammar.version(), new Given.Rest(given, 0, after));
    List<ChatMessage> turns =
        List.of(
            ChatMessage.system(PromptFormat.INSTRUCTION),
            ChatMessage.user(new PromptFormat().render(evidence)));
    Reasoner reasoner = model.reasoner();
    List<Ticket> tickets = new ArrayList<>();
    for (int seed = 1; seed <= draws; seed++) {
      Reasoner.Options options =
          new Reasoner.Options(
              new Sampler(TEMPERATURE, 0, 0.95, seed),
              model.options().maxTokens(),
              model.options().timeLimit());
      tickets.add(
          model
              .submit(slot -> reasoner.request(turns, constraint, slot.adapter(), options), null)
              .ticket());
    }
    Map<String, Reasoned> different = new LinkedHashMap<>();
    try {
      for (Ticket ticket : tickets) {
        Generation generation = ticket.await();
        if (generation.finish() == FinishReason.STOP) {
          Reasoned reasoned = Reasoned.of(evidence, generation);
          different.putIfAbsent(reasoned.chain().text(), reasoned);
        }
      }
    } catch (ChainSyntaxException e) {
      throw new IllegalStateException("the grammar let through what is no chain", e);
    } finally {
      tickets.forEach(Ticket::cancel);
    }
    return different.values().stream()
        .sorted((a, b) -> Boolean.compare(b.verified(), a.verified()))
        .toList();
  }

  /** A grammar whose beginning is written already. */
  private record Given(String version, State start) implements TextConstraint {

    /** The state before the rest of the given text, from {@code at} on. */
    private record Rest(String text, int at, State then) implements State {

      @Override
      public State next(char c) {
        if (at == text.length()) {
          return then.next(c);
        }
        if (text.charAt(at) != c) {
          return null;
        }
        return at + 1 == text.length() ? then : new Rest(text, at + 1, then);
      }

      @Override
      public boolean accepting() {
        return at == text.length() && then.accepting();
      }

      @Override
      public String forced() {
        return at == text.length() ? then.forced() : text.substring(at);
      }
    }
  }
}
