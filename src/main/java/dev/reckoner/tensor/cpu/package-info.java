/**
 * The CPU backend, on {@code jdk.incubator.vector}: the readable reference the CUDA backend is
 * tested against. Every reduction has a fixed order, so results depend neither on the number of
 * threads nor on the batch. It knows no model.
 */
package dev.reckoner.tensor.cpu;
