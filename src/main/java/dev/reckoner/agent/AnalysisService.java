package dev.reckoner.agent;

/** From an event to a checked chain of reasoning. Called from any thread; blocks. */
public interface AnalysisService {

  /**
   * Validates the event, has the model write a chain about it under the adapter that serves, and
   * verifies every step.
   *
   * @throws AnalysisException if there is no analysis; it says whether trying again makes sense
   * @throws InterruptedException if the caller is interrupted; the request is cancelled
   */
  Analysis analyze(FinancialEvent event) throws InterruptedException;
}
