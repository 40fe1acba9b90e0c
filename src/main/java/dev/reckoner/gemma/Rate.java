package dev.reckoner.gemma;

/**
 * One line of a benchmark; medians.
 *
 * @param seconds of one iteration
 * @param gflops multiply-adds of the weight products and attention, two operations each
 * @param gigabytesPerSecond weights read, each once an iteration; NaN where that is not the limit
 */
public record Rate(
    String name,
    double seconds,
    double tokensPerSecond,
    double gflops,
    double gigabytesPerSecond) {}
