/**
 * What a model or an adapter is worth: suites of problems, grades computed by code, metrics with
 * intervals, comparisons in pairs. It knows nothing of promotion and nothing of where a model came
 * from.
 *
 * <p>A {@link dev.reckoner.evaluation.Suite} is answered by a {@link
 * dev.reckoner.evaluation.Solver}; {@link dev.reckoner.evaluation.Grader} turns each answer into a
 * {@link dev.reckoner.evaluation.Grade}; {@link dev.reckoner.evaluation.Measurement} sums grades up
 * by {@link dev.reckoner.evaluation.Metric}, and {@link dev.reckoner.evaluation.Comparison} sets
 * two of them side by side.
 */
package dev.reckoner.evaluation;
