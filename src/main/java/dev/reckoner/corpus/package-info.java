/**
 * Training material: gold programs become chains, seeded synthetic worlds produce more, and every
 * chain is executed before it enters a data set. It knows chains and no model.
 */
package dev.reckoner.corpus;
