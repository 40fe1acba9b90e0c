package dev.reckoner.review;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.reasoning.Evidence;
import jakarta.enterprise.context.ApplicationScoped;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/** Reads analyses and their decisions from the database. */
@ApplicationScoped
public class Analyses {

  private static final TypeReference<List<String>> ADDRESSES = new TypeReference<>() {};

  // What was planted shows the event of the chain that it was made from.
  private static final String ONE =
      """
      select a.*, coalesce((select s.event_key from planted p join analysis s on s.id = p.source_id
                            where p.analysis_id = a.id), a.event_key) as shown_event
      from analysis a where a.id = ?
      """;

  private final Jdbi jdbi;
  private final ObjectMapper json;

  Analyses(Jdbi jdbi, ObjectMapper json) {
    this.jdbi = jdbi;
    this.json = json;
  }

  /**
   * One analysis with its history.
   *
   * @throws ReviewException if there is none
   */
  public ReviewItem get(UUID id) {
    return jdbi.withHandle(handle -> get(handle, id, false));
  }

  /**
   * As {@link #get(UUID)}; {@code locked} keeps others from deciding until the transaction ends.
   */
  ReviewItem get(Handle handle, UUID id, boolean locked) {
    return handle
        .createQuery(ONE + (locked ? " for update of a" : ""))
        .bind(0, id)
        .map((rs, ctx) -> item(handle, rs))
        .findOne()
        .orElseThrow(
            () ->
                new ReviewException(
                    ReviewException.Problem.NOT_FOUND, "There is no analysis " + id));
  }

  /** As {@link #get(UUID)}, with what {@code person} may see of it. */
  public ReviewItem get(UUID id, String person) {
    return get(id).seenBy(person);
  }

  /** The decision of that id. */
  Optional<Decision> decision(Handle handle, UUID id) {
    return handle
        .createQuery("select * from decision where id = ?")
        .bind(0, id)
        .map((rs, ctx) -> decision(rs))
        .findOne();
  }

  private ReviewItem item(Handle handle, ResultSet rs) throws SQLException {
    UUID id = rs.getObject("id", UUID.class);
    List<Decision> history =
        handle
            .createQuery("select * from decision where analysis_id = ? order by decided_at desc")
            .bind(0, id)
            .map((row, ctx) -> decision(row))
            .list();
    List<ReviewItem.StoredStep> steps =
        handle
            .createQuery("select * from analysis_step where analysis_id = ? order by position")
            .bind(0, id)
            .map(
                (row, ctx) ->
                    new ReviewItem.StoredStep(
                        row.getString("kind"),
                        row.getString("text"),
                        row.getString("verdict"),
                        row.getString("reason"),
                        read(row.getString("places"), ADDRESSES)))
            .list();
    return new ReviewItem(
        id,
        rs.getString("shown_event"),
        rs.getString("event_type"),
        rs.getString("subject"),
        rs.getString("title"),
        read(rs.getString("evidence"), new TypeReference<Evidence>() {}),
        rs.getString("chain"),
        steps,
        rs.getString("answer"),
        rs.getDouble("confidence"),
        rs.getString("status"),
        rs.getBoolean("disputed"),
        rs.getInt("version"),
        new ReviewItem.Lineage(
            rs.getString("base_model_hash"),
            rs.getString("adapter_id"),
            rs.getString("adapter_hash"),
            rs.getString("prompt_version"),
            rs.getString("grammar_version"),
            rs.getString("sampler"),
            rs.getLong("seed"),
            rs.getString("engine_build"),
            rs.getString("backend"),
            rs.getInt("prompt_tokens"),
            rs.getInt("generated_tokens"),
            rs.getLong("millis")),
        rs.getTimestamp("created_at").toInstant(),
        history);
  }

  private static Decision decision(ResultSet rs) throws SQLException {
    String tag = rs.getString("reason_tag");
    return new Decision(
        rs.getObject("id", UUID.class),
        rs.getObject("analysis_id", UUID.class),
        rs.getString("reviewer"),
        Decision.Kind.valueOf(rs.getString("kind").toUpperCase(java.util.Locale.ROOT)),
        rs.getObject("first_wrong_step", Integer.class),
        tag == null ? null : ReasonTag.valueOf(tag),
        rs.getString("note"),
        rs.getString("chain"),
        rs.getObject("undoes", UUID.class),
        rs.getLong("dwell_millis"),
        rs.getInt("analysis_version"),
        rs.getTimestamp("decided_at").toInstant(),
        rs.getBoolean("blind"),
        null);
  }

  private <T> T read(String text, TypeReference<T> type) {
    try {
      return json.readValue(text, type);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("A stored analysis cannot be read: " + e.getMessage(), e);
    }
  }
}
