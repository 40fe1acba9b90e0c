/**
 * What a chain is: the evidence it cites, its grammar, the calculator, grounding and verification.
 * Pure Java; it knows no model and no tokenizer.
 */
package dev.reckoner.reasoning;
