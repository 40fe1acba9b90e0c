/**
 * Kafka in and out: CloudEvents, validation, inbox, outbox, dead letters. An event is worked on
 * under a lease in the inbox, outside any transaction; its analysis, the message that announces it
 * and the end of the work commit together; only then is its record acknowledged. It knows how
 * events travel and nothing of how they are analysed.
 */
package dev.reckoner.events;
