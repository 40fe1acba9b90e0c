package dev.reckoner.inference;

/**
 * One decision the model took: a token picked where more than one was allowed. Forced text is no
 * choice.
 *
 * @param token the picked token
 * @param offset where its text starts in the generation, in characters
 * @param logProbability natural logarithm of its probability at temperature 1 among the tokens
 *     allowed there; without a constraint, among all tokens
 * @param allowed how many tokens were allowed and not hopeless ({@link Transcript#candidates})
 */
public record Choice(int token, int offset, double logProbability, int allowed) {}
