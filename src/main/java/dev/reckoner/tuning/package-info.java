/**
 * Training: packing, loss, optimiser, schedule, checkpoints; QLoRA, LoRA and full parameters. It
 * knows token sequences and nothing of where they came from.
 */
package dev.reckoner.tuning;
