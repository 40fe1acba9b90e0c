package dev.reckoner.tuning;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Samples that are made while the run trains, so that no sample need be seen twice and no time
 * passes before the first step. Threads work ahead by a bounded number of micro-batches.
 * Micro-batch n is filled by a random generator of its own, seeded by the recipe's seed and n, so
 * the samples depend neither on the threads nor on the step at which a run is resumed.
 */
public final class SampleStream implements Feed<Sample>, AutoCloseable {

  /** Makes a sample of nothing but the generator it is given; called by several threads. */
  @FunctionalInterface
  public interface Source {
    Sample next(SplittableRandom random);
  }

  /** How many samples in a row may not fit before a micro-batch is taken as full. */
  private static final int MISSES = 6;

  private static final int AHEAD_PER_THREAD = 3;

  private final Recipe recipe;
  private final long steps;
  private final Source source;
  private final String id;
  private final int ahead;
  private final ExecutorService makers;
  private final Map<Long, Future<List<Sample>>> made = new HashMap<>();

  /**
   * @param steps optimiser steps of the whole run
   * @param id tells sources apart
   */
  public SampleStream(Recipe recipe, long steps, Source source, String id, int threads) {
    this.recipe = recipe;
    this.steps = steps;
    this.source = source;
    this.id = id;
    ahead = threads * AHEAD_PER_THREAD;
    makers =
        Executors.newFixedThreadPool(
            threads, Thread.ofPlatform().name("lessons-", 0).daemon().factory());
  }

  @Override
  public long steps() {
    return steps;
  }

  @Override
  public int epoch(long step) {
    return 0;
  }

  @Override
  public boolean evaluateAfter(long step) {
    return recipe.evaluateEvery() > 0 && step % recipe.evaluateEvery() == 0;
  }

  /** Tells apart streams that give different samples. */
  String id() {
    return "stream " + id;
  }

  @Override
  public List<List<Sample>> groups(long step) {
    long first = step * recipe.accumulation();
    List<List<Sample>> groups = new ArrayList<>();
    for (long n = first; n < first + recipe.accumulation() + ahead; n++) {
      made.computeIfAbsent(n, number -> makers.submit(() -> microBatch(number)));
    }
    for (long n = first; n < first + recipe.accumulation(); n++) {
      groups.add(taken(made.remove(n)));
    }
    return groups;
  }

  private static List<Sample> taken(Future<List<Sample>> batch) {
    try {
      return batch.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while lessons were made", e);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException cause
          ? cause
          : new IllegalStateException(e.getCause());
    }
  }

  private List<Sample> microBatch(long number) {
    SplittableRandom random = random(number);
    List<Sample> batch = new ArrayList<>();
    int free = recipe.tokensPerMicroBatch();
    int misses = 0;
    while (misses < MISSES) {
      Sample sample = source.next(random.split());
      if (sample.length() <= free) {
        batch.add(sample);
        free -= sample.length();
      } else {
        misses++;
      }
    }
    if (batch.isEmpty()) {
      throw new RecipeException(
          "tokensPerMicroBatch is too small for these lessons: " + recipe.tokensPerMicroBatch());
    }
    return batch;
  }

  /**
   * A generator of micro-batch {@code number} alone. A generator walks its seed in steps of the
   * golden ratio, so seeds that differ by a multiple of it give one sequence, shifted; mixing keeps
   * the sequences of neighbours apart.
   */
  private SplittableRandom random(long number) {
    long mixed = new SplittableRandom(recipe.seed() + number * 0xBF58476D1CE4E5B9L).nextLong();
    return new SplittableRandom(mixed);
  }

  @Override
  public void close() {
    makers.shutdownNow();
  }
}
