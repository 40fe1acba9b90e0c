/** Kafka in and out: CloudEvents, validation, inbox, outbox, dead letters. */
package dev.reckoner.events;
