package dev.reckoner.review;

import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/**
 * Who looks at which analysis, so that two people do not work on the same one.
 *
 * <p>A lease lasts {@link #DURATION} and is renewed by a heartbeat of the page. Its token grows
 * with every claim: a write under an older token is refused, however late it arrives.
 */
@ApplicationScoped
public class Leases {

  /** How long a lease lasts without a heartbeat. */
  public static final Duration DURATION = Duration.ofSeconds(60);

  private final Jdbi jdbi;

  Leases(Jdbi jdbi) {
    this.jdbi = jdbi;
  }

  /**
   * A lease as it stands.
   *
   * @param token what a write has to carry
   */
  public record Lease(UUID analysisId, String holder, long token, Instant until) {

    /** Whether it has not run out. */
    public boolean active() {
      return until.isAfter(Instant.now());
    }
  }

  /**
   * Takes an analysis for {@code reviewer}, also from an earlier page of the same person.
   *
   * @return the lease that now stands: {@code reviewer}'s, or the active one of somebody else
   */
  public Lease claim(UUID analysisId, String reviewer) {
    return jdbi.inTransaction(
        handle -> {
          handle
              .createUpdate(
                  """
                  insert into review_lease (analysis_id, holder, token, lease_until)
                  values (:id, :reviewer, nextval('review_lease_token'), now() + :seconds * interval '1 second')
                  on conflict (analysis_id) do update
                    set holder = excluded.holder, token = excluded.token,
                        lease_until = excluded.lease_until
                    where review_lease.holder = excluded.holder
                       or review_lease.lease_until <= now()
                  """)
              .bind("id", analysisId)
              .bind("reviewer", reviewer)
              .bind("seconds", DURATION.toSeconds())
              .execute();
          return find(handle, analysisId).orElseThrow();
        });
  }

  /**
   * Extends a lease.
   *
   * @return false if the token is no longer the current one: somebody else took it
   */
  public boolean renew(UUID analysisId, String reviewer, long token) {
    return jdbi.withHandle(
            handle ->
                handle.execute(
                    "update review_lease set lease_until = now() + ? * interval '1 second'"
                        + " where analysis_id = ? and holder = ? and token = ?",
                    DURATION.toSeconds(),
                    analysisId,
                    reviewer,
                    token))
        == 1;
  }

  /** Gives an analysis back at once, when the page is left without a decision. */
  public void release(UUID analysisId, String reviewer, long token) {
    jdbi.useHandle(
        handle ->
            handle.execute(
                "delete from review_lease where analysis_id = ? and holder = ? and token = ?",
                analysisId,
                reviewer,
                token));
  }

  /** Who has the analysis now. */
  public Optional<String> holder(UUID analysisId) {
    return jdbi.withHandle(
        handle -> find(handle, analysisId).filter(Lease::active).map(Lease::holder));
  }

  static Optional<Lease> find(Handle handle, UUID analysisId) {
    return handle
        .createQuery("select holder, token, lease_until from review_lease where analysis_id = ?")
        .bind(0, analysisId)
        .map(
            (rs, ctx) ->
                new Lease(
                    analysisId,
                    rs.getString("holder"),
                    rs.getLong("token"),
                    rs.getTimestamp("lease_until").toInstant()))
        .findOne();
  }
}
