/**
 * A real Kafka broker and a real Postgres inside the process, for when none is configured. Both
 * live in one data directory that one process at a time holds; they listen on the loopback
 * interface only, survive restarts and crashes, and know nothing of what is stored in them.
 */
package dev.reckoner.embedded;
