/**
 * The engine behind DJL's interfaces: {@code Criteria … optEngine("Reckoner")} loads a checkpoint
 * directory and gives a {@code Predictor}, streaming included. It stands on {@code inference},
 * which does the work, and nothing here depends on it: who knows DJL need not learn another
 * interface. Requests and answers travel through DJL's arrays as they are; it has no array
 * operations of its own, because the model is no graph of them.
 */
package dev.reckoner.djl;
