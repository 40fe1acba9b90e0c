package dev.reckoner.evaluation;

import dev.reckoner.corpus.Problem;
import dev.reckoner.evaluation.Solver.Solution;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.function.IntConsumer;

/**
 * Puts a suite to a solver.
 *
 * @param inFlight how many questions are asked at once; a batching engine answers them together
 */
public record Evaluator(int inFlight) {

  /**
   * Answers, grades and sums up.
   *
   * @param model what is measured, for people
   * @param progress told the number of problems done so far, from several threads
   */
  public Measurement measure(Suite suite, String model, Solver solver, IntConsumer progress)
      throws InterruptedException {
    Grader grader = new Grader();
    Semaphore permits = new Semaphore(inFlight);
    List<Future<Grade>> futures = new ArrayList<>();
    var done = new java.util.concurrent.atomic.AtomicInteger();
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      try {
        for (Problem problem : suite.problems()) {
          permits.acquire();
          futures.add(
              executor.submit(
                  () -> {
                    try {
                      Solution solution = solver.solve(problem.evidence());
                      return grader.grade(problem, suite.chains().get(problem.id()), solution);
                    } finally {
                      permits.release();
                      progress.accept(done.incrementAndGet());
                    }
                  }));
        }
        List<Grade> grades = new ArrayList<>();
        for (Future<Grade> future : futures) {
          grades.add(future.get());
        }
        return Measurement.of(suite, model, grades);
      } catch (ExecutionException e) {
        executor.shutdownNow();
        if (e.getCause() instanceof RuntimeException cause) {
          throw cause;
        }
        throw new IllegalStateException(e.getCause());
      } catch (InterruptedException e) {
        executor.shutdownNow();
        throw e;
      }
    }
  }
}
