package dev.reckoner.review;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import jakarta.enterprise.context.ApplicationScoped;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jdbi.v3.core.Jdbi;

/** Writes the standing decisions as JSON lines, in the shapes that training libraries read. */
@ApplicationScoped
public class Exports {

  /** The media type of JSON lines. */
  public static final String JSON_LINES = "application/x-ndjson";

  /** The shape of a line. */
  public enum Format {
    /** {@code {"messages": [system, user, assistant]}} of approved and corrected chains. */
    SFT,
    /**
     * {@code {"prompt": [system, user], "prefix", "chosen", "rejected"}} of corrected chains, where
     * {@code prefix} are the steps before the first that changed; a correction that changed nothing
     * is no pair.
     */
    DPO,
    /** {@code {"prompt", "completion", "label"}}: what was approved, and what was not. */
    KTO,
    /**
     * {@code {"prompt", "completions", "labels"}}: one label a step, ending at the first wrong one;
     * decisions that do not say which step is wrong are left out.
     */
    STEPS,
    /** The decision as stored, with the chain it is about. */
    DECISIONS;

    /** What trains leaves out the decisions of reviewers who miss too much. */
    private final String decisions =
        name().equals("DECISIONS") ? "standing_decision" : "trusted_decision";
  }

  private static final String QUERY =
      """
      select d.*, a.chain as original, a.evidence, a.event_key, a.event_type, a.subject,
             a.adapter_id, a.base_model_hash, a.prompt_version
      from %s d join analysis a on a.id = d.analysis_id
      order by d.decided_at, d.id
      """;

  private final Jdbi jdbi;
  private final ObjectMapper json;
  private final PromptFormat prompts = new PromptFormat();

  Exports(Jdbi jdbi, ObjectMapper json) {
    this.jdbi = jdbi;
    this.json = json;
  }

  /** A standing decision with what it is about. */
  private record Decided(
      String kind,
      Integer firstWrongStep,
      List<String> original,
      List<String> corrected,
      List<Map<String, String>> prompt,
      Map<String, Object> row) {}

  /** Writes one line a sample; rows come from the database as they are written. */
  public void write(Format format, OutputStream out) {
    jdbi.useTransaction(
        handle -> {
          try (Stream<Decided> decisions =
              handle
                  .createQuery(QUERY.formatted(format.decisions))
                  .setFetchSize(200)
                  .map((rs, ctx) -> decided(rs))
                  .stream()) {
            decisions.forEach(
                decided ->
                    lines(format, decided)
                        .forEach(
                            line -> {
                              try {
                                out.write(json.writeValueAsBytes(line));
                                out.write('\n');
                              } catch (IOException e) {
                                throw new UncheckedIOException(e);
                              }
                            }));
          }
        });
  }

  private static List<Map<String, Object>> lines(Format format, Decided decided) {
    return switch (format) {
      case SFT -> sft(decided);
      case DPO -> dpo(decided);
      case KTO -> kto(decided);
      case STEPS -> steps(decided);
      case DECISIONS -> List.of(decided.row());
    };
  }

  private static List<Map<String, Object>> sft(Decided decided) {
    if (decided.kind().equals("reject")) {
      return List.of();
    }
    List<Map<String, String>> messages = new ArrayList<>(decided.prompt());
    messages.add(message("assistant", text(accepted(decided))));
    return List.of(Map.of("messages", messages));
  }

  private static List<Map<String, Object>> dpo(Decided decided) {
    if (decided.corrected() == null) {
      return List.of();
    }
    List<String> wrong = decided.original();
    List<String> right = decided.corrected();
    int same = 0;
    while (same < Math.min(wrong.size(), right.size()) && wrong.get(same).equals(right.get(same))) {
      same++;
    }
    if (same == wrong.size() && same == right.size()) {
      return List.of();
    }
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("prompt", decided.prompt());
    line.put("prefix", text(right.subList(0, same)));
    line.put("chosen", text(right.subList(same, right.size())));
    line.put("rejected", text(wrong.subList(same, wrong.size())));
    return List.of(line);
  }

  private static List<Map<String, Object>> kto(Decided decided) {
    return switch (decided.kind()) {
      case "approve" -> List.of(labelled(decided, decided.original(), true));
      case "reject" -> List.of(labelled(decided, decided.original(), false));
      default ->
          List.of(
              labelled(decided, decided.original(), false),
              labelled(decided, decided.corrected(), true));
    };
  }

  private static Map<String, Object> labelled(Decided decided, List<String> chain, boolean label) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("prompt", decided.prompt());
    line.put("completion", List.of(message("assistant", text(chain))));
    line.put("label", label);
    return line;
  }

  private static List<Map<String, Object>> steps(Decided decided) {
    boolean approved = decided.kind().equals("approve");
    if (!approved && decided.firstWrongStep() == null) {
      return List.of();
    }
    int judged =
        approved
            ? decided.original().size()
            : Math.min(decided.firstWrongStep() + 1, decided.original().size());
    List<Boolean> labels = new ArrayList<>();
    for (int i = 0; i < judged; i++) {
      labels.add(approved || i < decided.firstWrongStep());
    }
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("prompt", decided.prompt());
    line.put("completions", decided.original().subList(0, judged));
    line.put("labels", labels);
    return List.of(line);
  }

  private static List<String> accepted(Decided decided) {
    return decided.corrected() == null ? decided.original() : decided.corrected();
  }

  private Decided decided(ResultSet rs) throws SQLException {
    Evidence evidence;
    try {
      evidence = json.readValue(rs.getString("evidence"), Evidence.class);
    } catch (JsonProcessingException e) {
      throw new SQLException(
          "analysis " + rs.getString("analysis_id") + " cannot be read: " + e.getMessage(), e);
    }
    String corrected = rs.getString("chain");
    Map<String, Object> row = new LinkedHashMap<>();
    for (String column :
        List.of(
            "id",
            "analysis_id",
            "event_key",
            "event_type",
            "subject",
            "adapter_id",
            "base_model_hash",
            "prompt_version",
            "kind",
            "reason_tag",
            "note",
            "reviewer")) {
      row.put(column, rs.getString(column));
    }
    Integer firstWrong = rs.getObject("first_wrong_step", Integer.class);
    row.put("first_wrong_step", firstWrong);
    row.put("dwell_millis", rs.getLong("dwell_millis"));
    row.put("decided_at", rs.getTimestamp("decided_at").toInstant().toString());
    row.put("chain", rs.getString("original"));
    row.put("corrected_chain", corrected);
    return new Decided(
        rs.getString("kind"),
        firstWrong,
        split(rs.getString("original")),
        corrected == null ? null : split(corrected),
        List.of(
            message("system", PromptFormat.INSTRUCTION), message("user", prompts.render(evidence))),
        row);
  }

  private static Map<String, String> message(String role, String content) {
    Map<String, String> message = new LinkedHashMap<>();
    message.put("role", role);
    message.put("content", content);
    return message;
  }

  private static List<String> split(String chain) {
    return chain.lines().filter(line -> !line.isBlank()).toList();
  }

  private static String text(List<String> lines) {
    return String.join("\n", lines);
  }
}
