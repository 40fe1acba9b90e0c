package dev.reckoner.improve;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.reckoner.improve.ValidatedChain.Use;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import jakarta.enterprise.context.ApplicationScoped;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.UUID;
import org.jdbi.v3.core.Jdbi;

/** The decisions of the reviewers, as far as they stand and their reviewers are trusted. */
@ApplicationScoped
public class ValidatedChains {

  private static final String FROM =
      """
      from trusted_decision d join analysis a on a.id = d.analysis_id
      where a.status in ('approved', 'corrected', 'rejected')
      """;

  private final Jdbi jdbi;

  ValidatedChains(Jdbi jdbi) {
    this.jdbi = jdbi;
  }

  /** All of them, in the order of their analyses' ids, so that equal content has one order. */
  List<ValidatedChain> all() {
    return jdbi.withHandle(
        h ->
            h.createQuery(
                    "select a.id, a.subject, a.event_type, a.evidence, a.chain as original, d.kind,"
                        + " d.chain as corrected, d.first_wrong_step, d.reviewer, d.decided_at "
                        + FROM
                        + " order by a.id")
                .map((rs, ctx) -> read(rs))
                .list());
  }

  /** What was labelled blind for the gate, each as if it had been corrected to the right chain. */
  List<ValidatedChain> gateItems() {
    return jdbi.withHandle(
        h ->
            h.createQuery(
                    "select a.id, a.subject, a.event_type, a.evidence, a.chain as original,"
                        + " 'correct' as kind, g.chain as corrected,"
                        + " cast(null as integer) as first_wrong_step, g.labelled_by as reviewer,"
                        + " g.labelled_at as decided_at"
                        + " from gate_item g join analysis a on a.id = g.analysis_id order by a.id")
                .map((rs, ctx) -> read(rs))
                .list());
  }

  /** How many approved or corrected chains no dataset has used yet. */
  int unused() {
    return jdbi.withHandle(
        h ->
            h.createQuery(
                    "select count(*) "
                        + FROM
                        + " and d.kind <> 'reject' and not exists"
                        + " (select 1 from dataset_item i where i.analysis_id = a.id)")
                .mapTo(Integer.class)
                .one());
  }

  private static ValidatedChain read(ResultSet rs) throws SQLException {
    UUID id = rs.getObject("id", UUID.class);
    String corrected = rs.getString("corrected");
    int firstWrong = rs.getInt("first_wrong_step");
    boolean unmarked = rs.wasNull();
    try {
      return new ValidatedChain(
          id,
          switch (rs.getString("kind")) {
            case "approve" -> Use.APPROVED;
            case "correct" -> Use.CORRECTED;
            case "reject" -> Use.REJECTED;
            case String kind -> throw new SQLException("unknown kind of decision: " + kind);
          },
          rs.getString("subject"),
          rs.getString("event_type"),
          CanonicalJson.MAPPER.readValue(rs.getString("evidence"), Evidence.class),
          rs.getString("original"),
          corrected == null ? null : Chain.parse(corrected),
          unmarked ? null : firstWrong,
          rs.getString("reviewer"),
          rs.getTimestamp("decided_at").toInstant());
    } catch (JsonProcessingException | ChainSyntaxException e) {
      throw new SQLException("analysis " + id + " cannot be read: " + e.getMessage(), e);
    }
  }
}
