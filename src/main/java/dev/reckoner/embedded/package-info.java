/** A real Kafka broker and a real Postgres inside the process, for when none is configured. */
package dev.reckoner.embedded;
