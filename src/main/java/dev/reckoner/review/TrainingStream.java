package dev.reckoner.review;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.improve.ImprovementService;
import dev.reckoner.improve.TrainingRun;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.infrastructure.Infrastructure;
import jakarta.annotation.security.RolesAllowed;
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
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import org.jboss.resteasy.reactive.RestStreamElementType;

/** Tells open model pages how a training run goes on. */
@Path("/stream/training")
@RolesAllowed("viewer")
public class TrainingStream {

  private static final Duration EVERY = Duration.ofSeconds(1);

  private final ImprovementService improvement;
  private final ObjectMapper json;

  TrainingStream(ImprovementService improvement, ObjectMapper json) {
    this.improvement = improvement;
    this.json = json;
  }

  /**
   * The active run, or nothing.
   *
   * @param id {@code null} if none is active
   * @param points {@code [step, loss]} of the steps that were not told yet
   */
  public record Progress(
      UUID id, String status, String message, int step, int steps, List<List<Number>> points) {

    static final Progress NONE = new Progress(null, "", "", 0, 0, List.of());
  }

  /** What one page has been told. */
  private static final class Told {
    private UUID run;
    private int step;

    Told(int step) {
      this.step = step;
    }
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
    Told told = new Told(after);
    return Multi.createFrom()
        .ticks()
        .every(EVERY)
        .onOverflow()
        .drop()
        .emitOn(Infrastructure.getDefaultWorkerPool())
        .map(tick -> write(progress(told)))
        .skip()
        .repetitions()
        .map(data -> sse.newEventBuilder().name("training").data(data).build());
  }

  private Progress progress(Told told) {
    Optional<TrainingRun> active = improvement.current();
    if (active.isEmpty()) {
      return Progress.NONE;
    }
    TrainingRun run = active.get();
    if (told.run != null && !told.run.equals(run.id())) {
      told.step = 0;
    }
    told.run = run.id();
    List<List<Number>> points =
        improvement.losses(run.id()).stream()
            .filter(p -> p.step() > told.step)
            .map(p -> List.<Number>of(p.step(), p.loss()))
            .toList();
    if (!points.isEmpty()) {
      told.step = points.getLast().getFirst().intValue();
    }
    return new Progress(
        run.id(),
        run.status().name().toLowerCase(Locale.ROOT),
        run.message(),
        run.step(),
        run.steps(),
        points);
  }

  private String write(Progress progress) {
    try {
      return json.writeValueAsString(progress);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
