package dev.reckoner.review;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import jakarta.validation.constraints.DecimalMax;
import jakarta.validation.constraints.DecimalMin;
import jakarta.validation.constraints.Min;

/** How reviewing watches over itself, {@code reckoner.review.*}. */
@ConfigMapping(prefix = "reckoner.review")
public interface ReviewConfig {

  /** Share of the analyses that two people review without seeing each other's decision. */
  @WithDefault("0")
  @DecimalMin("0")
  @DecimalMax("1")
  double secondShare();

  /** Share of a reviewer's items that have a planted error. */
  @WithDefault("0")
  @DecimalMin("0")
  @DecimalMax("1")
  double plantedShare();

  /** Decides which analyses are drawn for either. */
  @WithDefault("0")
  long seed();

  /** So many planted errors a reviewer must have met before the share they missed counts. */
  @WithDefault("5")
  @Min(1)
  int plantedMinimum();

  /** Who missed a larger share of the planted errors does not feed training. */
  @WithDefault("0.3")
  @DecimalMin("0")
  @DecimalMax("1")
  double maxMissRate();
}
