/**
 * Where people look at chains: accounts, the queue and its leases, decisions and their export, the
 * REST interface and the web page.
 *
 * <p>A decision is one transaction: the append-only decision, the status of the analysis, the
 * feedback event and the ledger entry. The package reads analyses from the database, asks the model
 * for other ways on only through {@link dev.reckoner.agent.Continuations}, and knows no Kafka.
 */
package dev.reckoner.review;
