package dev.reckoner.gemma;

/**
 * A conversation as tokens.
 *
 * @param supervised whether the token at that place is to be learned (predicted from those before)
 */
public record TokenizedChat(int[] tokens, boolean[] supervised) {}
