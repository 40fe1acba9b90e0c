/**
 * Gemma 3: configuration, weights, tokenizer, chat template, forward and backward passes, LoRA
 * adapters. It knows nothing of training loops or sampling.
 */
package dev.reckoner.gemma;
