package dev.reckoner.cli;

/**
 * What one measurement came to.
 *
 * @param engine reckoner or the peer
 * @param seconds of one repetition, median
 * @param tokensPerSecond over the tokens that the name speaks of
 * @param gflops multiply-adds of weight products and attention, two operations each; NaN where they
 *     are not counted
 * @param gigabytesPerSecond weights read, each once a pass; NaN where that is not the limit
 * @param kept repetitions that ran with all cores
 * @param repetitions of all
 */
record BenchRate(
    String name,
    String engine,
    double seconds,
    double tokensPerSecond,
    double gflops,
    double gigabytesPerSecond,
    int kept,
    int repetitions) {}
