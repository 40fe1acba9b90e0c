package dev.reckoner.review;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.improve.ImprovementService;
import io.smallrye.mutiny.Multi;
import jakarta.annotation.PostConstruct;
import jakarta.annotation.security.RolesAllowed;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.ws.rs.DefaultValue;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.sse.OutboundSseEvent;
import jakarta.ws.rs.sse.Sse;
import java.time.Duration;
import org.jboss.resteasy.reactive.RestStreamElementType;

/** Tells open model pages how a training run goes on; one look a second serves them all. */
@Path("/stream/training")
@ApplicationScoped
@RolesAllowed("viewer")
public class TrainingStream {

  private static final Duration EVERY = Duration.ofSeconds(1);

  private final LossFeed feed;
  private final ObjectMapper json;
  private Multi<LossFeed.Moment> moments;

  TrainingStream(ImprovementService improvement, ObjectMapper json) {
    this.feed = new LossFeed(improvement::current, improvement::losses);
    this.json = json;
  }

  @PostConstruct
  void share() {
    moments = SharedLook.every(EVERY, feed::look);
  }

  /**
   * Progress as it changes.
   *
   * @param after the last step of the active run that the page shows already
   */
  @GET
  @Produces(MediaType.SERVER_SENT_EVENTS)
  @RestStreamElementType(MediaType.APPLICATION_JSON)
  public Multi<OutboundSseEvent> stream(
      @QueryParam("after") @DefaultValue("0") int after, @Context Sse sse) {
    LossFeed.Page page = new LossFeed.Page(after);
    return moments
        .map(page::tell)
        .skip()
        .repetitions()
        .map(told -> sse.newEventBuilder().name("training").data(write(told)).build());
  }

  private String write(LossFeed.Progress progress) {
    try {
      return json.writeValueAsString(progress);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
