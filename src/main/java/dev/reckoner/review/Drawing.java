package dev.reckoner.review;

import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.UUID;
import org.apache.commons.codec.digest.DigestUtils;
import org.jdbi.v3.core.Jdbi;

/**
 * Who and what is drawn to check the reviewing itself. A draw depends on the seed and on what is
 * drawn, so every replica, and every repetition, draws the same.
 */
@ApplicationScoped
public class Drawing {

  private final ReviewConfig config;
  private final Jdbi jdbi;

  Drawing(ReviewConfig config, Jdbi jdbi) {
    this.config = config;
    this.jdbi = jdbi;
  }

  /** Where the queries that choose what is learned from find who may teach. */
  void publishPolicy(@Observes StartupEvent start) {
    jdbi.useHandle(
        h ->
            h.execute(
                "update review_policy set planted_minimum = ?, max_miss_rate = ?",
                config.plantedMinimum(),
                config.maxMissRate()));
  }

  /** Whether two people review this analysis. */
  boolean secondReview(UUID analysis) {
    return uniform("second", analysis.toString()) < config.secondShare();
  }

  /** Whether errors are planted at all. */
  boolean plants() {
    return config.plantedShare() > 0;
  }

  /** Whether the next item of somebody who has made so many decisions has a planted error. */
  boolean plantedError(String reviewer, long decisions) {
    return uniform("planted", reviewer + "/" + decisions) < config.plantedShare();
  }

  /** A seed for whatever is to be random about {@code what}. */
  long seed(String what) {
    return (long) (uniform("seed", what) * (1L << 53));
  }

  /** A number in [0, 1) that looks random and is the same each time. */
  private double uniform(String purpose, String what) {
    String hash = DigestUtils.sha256Hex(config.seed() + "\n" + purpose + "\n" + what);
    return (Long.parseUnsignedLong(hash.substring(0, 16), 16) >>> 11) * 0x1.0p-53;
  }
}
