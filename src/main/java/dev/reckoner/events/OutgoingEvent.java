package dev.reckoner.events;

/**
 * An event as it goes onto the topic, unread.
 *
 * @param key the record key, UTF-8; {@code null} for none
 * @param value the record value, whatever it is
 */
public record OutgoingEvent(byte[] key, byte[] value) {}
