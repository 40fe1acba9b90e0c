/**
 * Where people look at chains: accounts, the queue and its leases, decisions and their export, the
 * REST interface and the web page.
 *
 * <p>A decision is one transaction: the append-only decision, the status of the analysis, the
 * feedback event and the ledger entry. The package reads analyses from the database and knows
 * neither Kafka nor the model.
 */
package dev.reckoner.review;
