package dev.reckoner.reasoning;

/** What a model may write about one evidence, character by character. */
public final class ChainGrammar implements TextConstraint {

  private static final String VERSION = PromptFormat.hash("chain 1");

  private final Figures figures;

  public ChainGrammar(Evidence evidence) {
    this.figures = Figures.of(evidence);
  }

  /** The figures that may be cited. */
  public Figures figures() {
    return figures;
  }

  @Override
  public State start() {
    throw new UnsupportedOperationException("the automaton lands next");
  }

  @Override
  public String version() {
    return VERSION;
  }
}
