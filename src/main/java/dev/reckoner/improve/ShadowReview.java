package dev.reckoner.improve;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import jakarta.enterprise.context.ApplicationScoped;
import java.sql.SQLException;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/**
 * The blind review of what champion and shadow disagree about. Whoever labels sees two chains
 * without knowing whose they are; what they call right becomes a question of the gate, which never
 * trains.
 */
@ApplicationScoped
public class ShadowReview {

  /**
   * Two chains about the same evidence, in an order that says nothing.
   *
   * @param evidence what both were written about
   * @param firstStep the first step that differs, from 0; up to there they are the same
   * @param sameAnswer whether both conclude the same
   */
  public record Pair(
      UUID id,
      String subject,
      String title,
      JsonNode evidence,
      String a,
      String b,
      Integer firstStep,
      boolean sameAnswer) {}

  /** Which of the two is right. */
  public enum Choice {
    A,
    B,
    BOTH,
    NEITHER
  }

  /**
   * How the shadow does so far.
   *
   * @param adapter the shadow; {@code null} where none is set
   * @param compared analyses that both made
   * @param agreed those with the same steps and conclusion
   * @param sameAnswer those with the same conclusion
   * @param open disagreements that nobody has labelled
   * @param championRight labelled, and only the champion's chain was right
   * @param shadowRight labelled, and only the shadow's chain was right
   */
  public record Summary(
      String adapter,
      int compared,
      int agreed,
      int sameAnswer,
      int open,
      int championRight,
      int shadowRight,
      int bothRight,
      int neitherRight) {}

  private static final String OPEN =
      """
      select s.*, a.subject, a.title, a.evidence, a.chain as champions from shadow_analysis s
      join analysis a on a.id = s.analysis_id
      """;

  private final Jdbi jdbi;
  private final AdapterRegistry registry;
  private final Ledger ledger;

  ShadowReview(Jdbi jdbi, AdapterRegistry registry, Ledger ledger) {
    this.jdbi = jdbi;
    this.registry = registry;
    this.ledger = ledger;
  }

  /**
   * The oldest disagreement that nobody has labelled and that this person has not decided about in
   * the queue, where they would know the champion's chain.
   */
  public Optional<Pair> next(String reviewer) {
    return jdbi.withHandle(
        h ->
            h.createQuery(
                    OPEN
                        + " where not s.agrees and s.label is null and not exists (select 1 from"
                        + " decision d where d.analysis_id = a.id and d.reviewer = :reviewer)"
                        + " order by s.created_at, s.id limit 1")
                .bind("reviewer", reviewer)
                .map((rs, ctx) -> pair(rs))
                .findOne());
  }

  private static Pair pair(java.sql.ResultSet rs) throws SQLException {
    boolean swapped = rs.getBoolean("swapped");
    try {
      JsonNode evidence = CanonicalJson.MAPPER.readTree(rs.getString("evidence"));
      // Labels that only one of the two has would tell whose it is.
      Figures figures = Figures.of(CanonicalJson.MAPPER.treeToValue(evidence, Evidence.class));
      String champions = figures.labelled(rs.getString("champions").strip());
      String shadows = figures.labelled(rs.getString("chain"));
      return new Pair(
          rs.getObject("id", UUID.class),
          rs.getString("subject"),
          rs.getString("title"),
          evidence,
          swapped ? shadows : champions,
          swapped ? champions : shadows,
          rs.getObject("first_step", Integer.class),
          rs.getBoolean("same_answer"));
    } catch (JsonProcessingException e) {
      throw new SQLException("analysis.evidence is not JSON", e);
    }
  }

  /**
   * Says which is right. The right chain, or the given one where neither is, becomes a question of
   * the gate.
   *
   * @param chain the right chain, only with {@link Choice#NEITHER}; {@code null} for none
   * @throws ImprovementException if it is labelled already, or the chain does not verify
   */
  public void label(UUID id, Choice choice, String chain, String reviewer) {
    if (chain != null && choice != Choice.NEITHER) {
      throw new ImprovementException("a chain of your own goes with NEITHER alone");
    }
    jdbi.useTransaction(
        h -> {
          Pair pair =
              h.createQuery(OPEN + " where s.id = ? and s.label is null for update of s")
                  .bind(0, id)
                  .map((rs, ctx) -> pair(rs))
                  .findOne()
                  .orElseThrow(
                      () ->
                          new ImprovementException(
                              "there is no such disagreement, or it is labelled already"));
          String right =
              switch (choice) {
                case A, BOTH -> pair.a();
                case B -> pair.b();
                case NEITHER -> chain;
              };
          if (right != null) {
            requireVerified(pair, right);
          }
          String label = label(h, id, choice);
          h.execute(
              "update shadow_analysis set label = ?, labelled_by = ?, labelled_at = now()"
                  + " where id = ?",
              label,
              reviewer,
              id);
          if (right != null) {
            h.execute(
                "insert into gate_item (analysis_id, chain, labelled_by)"
                    + " select analysis_id, ?, ? from shadow_analysis where id = ?"
                    + " on conflict (analysis_id) do update set chain = excluded.chain,"
                    + " labelled_by = excluded.labelled_by, labelled_at = now()",
                right.strip(),
                reviewer,
                id);
          }
          ledger.append(
              h,
              Ledger.Kind.SHADOW,
              reviewer,
              id.toString(),
              Map.of("label", label, "right", right == null ? "" : right.strip()));
        });
  }

  private static String label(Handle handle, UUID id, Choice choice) {
    boolean swapped =
        handle
            .createQuery("select swapped from shadow_analysis where id = ?")
            .bind(0, id)
            .mapTo(Boolean.class)
            .one();
    return switch (choice) {
      case A -> swapped ? "shadow" : "champion";
      case B -> swapped ? "champion" : "shadow";
      case BOTH -> "both";
      case NEITHER -> "neither";
    };
  }

  /** The gate must not hold what a verifier knows to be wrong. */
  private static void requireVerified(Pair pair, String chain) {
    try {
      Evidence evidence = CanonicalJson.MAPPER.treeToValue(pair.evidence(), Evidence.class);
      Chain parsed = Chain.parse(chain);
      if (parsed.conclusion().isEmpty()
          || !new Verifier().verify(evidence, parsed).stream().allMatch(Verdict::passed)) {
        throw new ImprovementException(
            "a step of that chain does not verify, so it cannot be the right one");
      }
    } catch (ChainSyntaxException | JsonProcessingException e) {
      throw new ImprovementException("that is no chain: " + e.getMessage(), e);
    }
  }

  /** How the adapter under the alias shadow does. */
  public Summary summary() {
    String adapter = registry.shadow().map(RegisteredAdapter::id).orElse(null);
    return jdbi.withHandle(
        h ->
            h.createQuery(
                    """
                    select count(*), count(*) filter (where agrees), count(*) filter (where same_answer),
                           count(*) filter (where not agrees and label is null),
                           count(*) filter (where label = 'champion'),
                           count(*) filter (where label = 'shadow'),
                           count(*) filter (where label = 'both'), count(*) filter (where label = 'neither')
                    from shadow_analysis where adapter_id = :adapter
                    """)
                .bind("adapter", adapter)
                .map(
                    (rs, ctx) ->
                        new Summary(
                            adapter,
                            rs.getInt(1),
                            rs.getInt(2),
                            rs.getInt(3),
                            rs.getInt(4),
                            rs.getInt(5),
                            rs.getInt(6),
                            rs.getInt(7),
                            rs.getInt(8)))
                .one());
  }
}
