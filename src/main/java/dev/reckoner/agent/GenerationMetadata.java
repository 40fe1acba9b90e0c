package dev.reckoner.agent;

import dev.langchain4j.model.chat.response.ChatResponseMetadata;
import dev.reckoner.inference.Generation;

/** What our model says about a response beyond LangChain4j's own: every choice, and the lineage. */
public final class GenerationMetadata extends ChatResponseMetadata {

  private final Generation generation;
  private final Lineage lineage;

  private GenerationMetadata(Builder builder) {
    super(builder);
    this.generation = builder.generation;
    this.lineage = builder.lineage;
  }

  public Generation generation() {
    return generation;
  }

  public Lineage lineage() {
    return lineage;
  }

  @Override
  public Builder toBuilder() {
    return (Builder) toBuilder(new Builder(generation, lineage));
  }

  @Override
  public boolean equals(Object other) {
    return super.equals(other)
        && other instanceof GenerationMetadata metadata
        && metadata.generation.equals(generation)
        && metadata.lineage.equals(lineage);
  }

  @Override
  public int hashCode() {
    return 31 * super.hashCode() + lineage.hashCode();
  }

  static Builder builder(Generation generation, Lineage lineage) {
    return new Builder(generation, lineage);
  }

  /** Keeps what is ours while LangChain4j changes what is its. */
  public static final class Builder extends ChatResponseMetadata.Builder<Builder> {

    private final Generation generation;
    private final Lineage lineage;

    private Builder(Generation generation, Lineage lineage) {
      this.generation = generation;
      this.lineage = lineage;
    }

    @Override
    public GenerationMetadata build() {
      return new GenerationMetadata(this);
    }
  }
}
