/**
 * Training: packing, loss, optimiser, schedule, checkpoints; QLoRA, LoRA and full parameters. The
 * trainer knows token sequences and nothing of where they came from; {@link
 * dev.reckoner.tuning.LessonSamples} makes them of lessons.
 */
package dev.reckoner.tuning;
