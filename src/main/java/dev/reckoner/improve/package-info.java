/**
 * From reviewed chains to a better adapter: data sets, training runs, the gate, the registry and
 * the rollout.
 */
package dev.reckoner.improve;
