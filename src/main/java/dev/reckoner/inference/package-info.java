/**
 * Serving one model: batching, key-value cache, sampling, constrained decoding, streaming. It knows
 * requests and nothing of events.
 */
package dev.reckoner.inference;
