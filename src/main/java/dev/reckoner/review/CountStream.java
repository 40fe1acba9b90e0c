package dev.reckoner.review;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.smallrye.mutiny.Multi;
import jakarta.annotation.PostConstruct;
import jakarta.annotation.security.RolesAllowed;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.SecurityContext;
import jakarta.ws.rs.sse.OutboundSseEvent;
import jakarta.ws.rs.sse.Sse;
import java.time.Duration;
import org.jboss.resteasy.reactive.RestStreamElementType;

/** Tells open pages how the counts change; one query serves them all. */
@Path("/stream")
@ApplicationScoped
@RolesAllowed("viewer")
public class CountStream {

  private static final Duration EVERY = Duration.ofSeconds(2);

  private final ReviewQueue queue;
  private final ObjectMapper json;
  private Multi<Tally> counts;

  CountStream(ReviewQueue queue, ObjectMapper json) {
    this.queue = queue;
    this.json = json;
  }

  @PostConstruct
  void share() {
    counts = SharedLook.every(EVERY, queue::tally);
  }

  @GET
  @Produces(MediaType.SERVER_SENT_EVENTS)
  @RestStreamElementType(MediaType.APPLICATION_JSON)
  public Multi<OutboundSseEvent> stream(@Context SecurityContext security, @Context Sse sse) {
    String viewer = security.getUserPrincipal().getName();
    return counts
        .map(tally -> tally.seenBy(viewer))
        .skip()
        .repetitions()
        .map(seen -> sse.newEventBuilder().name("counts").data(write(seen)).build());
  }

  private String write(ReviewQueue.Counts seen) {
    try {
      return json.writeValueAsString(seen);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
