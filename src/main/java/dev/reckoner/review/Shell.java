package dev.reckoner.review;

import io.quarkus.security.identity.SecurityIdentity;

/**
 * What every page shows around its content.
 *
 * @param active which entry of the navigation is open: queue, models or dashboard
 */
record Shell(
    String active, String user, boolean reviewer, boolean owner, ReviewQueue.Counts counts) {

  static Shell of(String active, SecurityIdentity identity, ReviewQueue.Counts counts) {
    return new Shell(
        active,
        identity.getPrincipal().getName(),
        identity.hasRole("reviewer"),
        identity.hasRole("owner"),
        counts);
  }
}
