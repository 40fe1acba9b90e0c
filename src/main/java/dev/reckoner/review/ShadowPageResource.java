package dev.reckoner.review;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.improve.ImprovementException;
import dev.reckoner.improve.ShadowReview;
import dev.reckoner.improve.ShadowReview.Choice;
import dev.reckoner.improve.ShadowReview.Pair;
import dev.reckoner.reasoning.Evidence;
import io.quarkus.qute.CheckedTemplate;
import io.quarkus.qute.TemplateInstance;
import io.quarkus.security.identity.SecurityIdentity;
import io.smallrye.common.annotation.Blocking;
import jakarta.annotation.security.RolesAllowed;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.FormParam;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.util.List;
import java.util.UUID;

/**
 * Where two adapters differ about an event, side by side and without their names. What is called
 * right there becomes a question of the gate.
 */
@Path("/shadow")
@Blocking
@Produces(MediaType.TEXT_HTML)
@RolesAllowed("reviewer")
public class ShadowPageResource {

  private final ShadowReview shadows;
  private final ReviewQueue queue;
  private final SecurityIdentity identity;
  private final ObjectMapper json;

  ShadowPageResource(
      ShadowReview shadows, ReviewQueue queue, SecurityIdentity identity, ObjectMapper json) {
    this.shadows = shadows;
    this.queue = queue;
    this.identity = identity;
    this.json = json;
  }

  /** A line of a chain, and whether the other chain has another one there. */
  record LineView(String text, boolean differs) {}

  /** The two chains with what they are about. */
  record PairView(
      UUID id,
      String title,
      String question,
      List<Places.TableView> tables,
      List<Places.SentenceView> sentences,
      List<LineView> a,
      List<LineView> b,
      boolean sameAnswer) {}

  @CheckedTemplate(basePath = "")
  static class Templates {
    static native TemplateInstance shadow(Shell shell, PairView pair, String told);
  }

  @GET
  public TemplateInstance next() {
    return page(null);
  }

  /** Says which is right and shows the next. */
  @POST
  @Path("{id}")
  @Consumes(MediaType.APPLICATION_FORM_URLENCODED)
  public TemplateInstance label(@PathParam("id") UUID id, @FormParam("choice") Choice choice) {
    if (choice == null) {
      throw new ReviewException(
          ReviewException.Problem.INVALID, "Say which is right: A, B, BOTH or NEITHER");
    }
    try {
      shadows.label(id, choice, null, user());
      return page(
          choice == Choice.NEITHER
              ? "Stored: neither is right. It judges nothing."
              : "Stored. It is a question of the gate now, and trains nothing.");
    } catch (ImprovementException e) {
      return page(e.getMessage());
    }
  }

  private TemplateInstance page(String told) {
    return Templates.shadow(
        Shell.of("models", identity, queue.recentCounts(user())),
        shadows.next(user()).map(this::view).orElse(null),
        told);
  }

  private PairView view(Pair pair) {
    try {
      Evidence evidence = json.treeToValue(pair.evidence(), Evidence.class);
      List<String> a = pair.a().strip().lines().toList();
      List<String> b = pair.b().strip().lines().toList();
      return new PairView(
          pair.id(),
          pair.title(),
          evidence.question(),
          Places.tables(evidence),
          Places.sentences(evidence),
          lines(a, b),
          lines(b, a),
          pair.sameAnswer());
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("A stored analysis cannot be read: " + e.getMessage(), e);
    }
  }

  private static List<LineView> lines(List<String> lines, List<String> other) {
    return java.util.stream.IntStream.range(0, lines.size())
        .mapToObj(
            i ->
                new LineView(lines.get(i), i >= other.size() || !other.get(i).equals(lines.get(i))))
        .toList();
  }

  private String user() {
    return identity.getPrincipal().getName();
  }
}
