/**
 * From reviewed chains to a better adapter: data sets, training runs, the gate, the registry and
 * the rollout.
 *
 * <p>It is the lowest package with a database, so what those above share with it is here too: the
 * connection, the outbox table and the hash-chained ledger. It has REST of its own for runs and
 * adapters, and knows neither Kafka nor the page.
 */
package dev.reckoner.improve;
