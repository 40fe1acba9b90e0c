package dev.reckoner.agent;

import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.LangChain4jException;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.Reasoned;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.context.control.ActivateRequestContext;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicReference;

/** Routes an event through its domain pack to the analyst, then checks what the analyst wrote. */
@ApplicationScoped
class EventAnalysis implements AnalysisService {

  private final DomainPack pack = DomainPack.load("finance");
  private final Analyst analyst;
  private final PromptFormat prompts = new PromptFormat();

  EventAnalysis(Analyst analyst) {
    this.analyst = analyst;
  }

  @Override
  @ActivateRequestContext // the analyst's scope, also where the caller has none
  public Analysis analyze(FinancialEvent event) throws InterruptedException {
    List<String> problems = pack.validate(event);
    if (!problems.isEmpty()) {
      throw new AnalysisException.InvalidEvent(problems);
    }
    Evidence evidence = pack.evidence(event);
    UUID id = UUID.randomUUID();
    GenerationMetadata metadata = ask(id, prompts.render(evidence));
    Generation generation = metadata.generation();
    Reasoned reasoned;
    try {
      reasoned = Reasoned.of(evidence, generation);
    } catch (ChainSyntaxException e) {
      throw new AnalysisException.Unreadable(
          "the model's text cannot be read as a chain: " + e.getMessage(), e);
    }
    if (reasoned.answer() == null) {
      throw new AnalysisException.Unreadable("the model's chain has no conclusion", null);
    }
    return new Analysis(
        id,
        event,
        evidence,
        generation.text(),
        reasoned.chain(),
        reasoned.verdicts(),
        reasoned.answer(),
        generation.confidence(),
        reasoned.confidences(),
        metadata.lineage(),
        generation.queued().plus(generation.took()));
  }

  /** Asks the analyst, and keeps what its result leaves out: how the model came to it. */
  private GenerationMetadata ask(UUID id, String evidence) throws InterruptedException {
    AtomicReference<GenerationMetadata> answered = new AtomicReference<>();
    try {
      ScopedValue.where(ReckonerChatModel.ANSWERED, answered)
          .run(() -> analyst.analyze(id, evidence));
    } catch (TruncatedOutputException e) {
      throw new AnalysisException.Truncated(e.limit(), e.written());
    } catch (CancellationException e) {
      if (Thread.interrupted()) {
        throw new InterruptedException(e.getMessage());
      }
      throw new AnalysisException.ModelFailed(e.getMessage(), e);
    } catch (InvalidRequestException e) {
      throw new AnalysisException.TooLong(e.getMessage());
    } catch (LangChain4jException e) {
      throw new AnalysisException.ModelFailed(e.getMessage(), e);
    }
    if (answered.get() == null) {
      throw new AnalysisException.ModelFailed(
          "the analyst was answered by another model than Reckoner's", null);
    }
    return answered.get();
  }
}
