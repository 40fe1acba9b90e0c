package dev.reckoner.events;

/** Another process has taken the event over; what this one worked out is dropped. */
final class LeaseLostException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  LeaseLostException(String eventKey) {
    super("the lease of event " + eventKey + " has passed to another process");
  }
}
