/**
 * What a chain is: the evidence it cites, its grammar, the calculator, grounding and verification.
 * Pure Java; it knows no model and no tokenizer.
 *
 * <p>An event becomes {@link dev.reckoner.reasoning.Evidence}: tables, sentences, a question.
 * {@link dev.reckoner.reasoning.PromptFormat} renders it for a model; {@link
 * dev.reckoner.reasoning.Figures} reads the figures in it with unit and scale. Under {@link
 * dev.reckoner.reasoning.ChainGrammar} the model writes a {@link dev.reckoner.reasoning.Chain}, a
 * line a step:
 *
 * <pre>
 * cite a = Net sales|2023 : 9,896 USD million @ r1c1
 * cite b = Net sales|2022 : 8,181 USD million @ r1c2
 * compute c = (a - b) / b as % = 20.9632 %
 * infer c : Net sales rose by 21 %.
 * conclude c = 20.9632 % ; stance positive ; flags none
 * </pre>
 *
 * <p>Of these lines a model chooses only {@code cite}, {@code Net}, {@code 3}, {@code cite}, {@code
 * Net}, {@code 2}, {@code compute}, {@code (a - b) / b as %}, {@code infer}, {@code c}, the words,
 * {@code conclude}, {@code c}, {@code positive}, {@code none}. Names follow the alphabet; the rest
 * of a label, the figure under it, its unit, its place and every result are forced: a cell is
 * chosen by what the table calls it, and only running text by its digits. The forms of a line:
 *
 * <pre>
 * cite NAME = [LABEL : ]FIGURE @ PLACE
 * compute NAME = EXPRESSION = FIGURE | yes | no | undefined
 * infer NAME,NAME : SENTENCE.
 * conclude NAME = FIGURE | NAME = yes | NAME = no | yes | no | not stated
 *     [ ; stance positive|neutral|negative ; flags none | FLAG,FLAG ]
 * LABEL   Net sales|2023 (row label, bar, column heading, as the prompt writes them)
 * FIGURE  9,896 USD million | -1,234 | 20.96 % | 12 bps | 1.5 x | 2.5 million shares
 * PLACE   r3c2 (row 3, column 2, counted from 0) | t1.r3c2 (second table) | s4 | q
 * </pre>
 *
 * <p>{@link dev.reckoner.reasoning.Calculator} has the language of expressions, {@code Quantity}
 * the unit algebra. {@link dev.reckoner.reasoning.Verifier} holds any chain, a person's too,
 * against its evidence.
 */
package dev.reckoner.reasoning;
