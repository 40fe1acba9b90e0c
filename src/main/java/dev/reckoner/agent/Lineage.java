package dev.reckoner.agent;

/**
 * Everything that decided what an analysis says, so that it can be reproduced.
 *
 * @param baseModelHash SHA-256 over configuration and weights of the base model
 * @param adapterId the adapter that served, or {@code null} for the bare base model
 * @param adapterHash SHA-256 over the adapter, or {@code null}
 * @param promptVersion version of instruction and evidence layout
 * @param grammarVersion version of the constraint under which the chain was written
 * @param sampler how tokens were picked, as JSON
 * @param seed of the random stream; without effect under a greedy sampler
 * @param engineBuild version and commit of this program
 * @param backend {@code cpu} or {@code cuda}, with the precision of the weights: {@code cpu/nf4}
 * @param promptTokens length of the prompt
 * @param generatedTokens length of the chain, forced tokens included
 */
public record Lineage(
    String baseModelHash,
    String adapterId,
    String adapterHash,
    String promptVersion,
    String grammarVersion,
    String sampler,
    long seed,
    String engineBuild,
    String backend,
    int promptTokens,
    int generatedTokens) {}
