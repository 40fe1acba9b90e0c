package dev.reckoner.cli;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import dev.reckoner.improve.AdapterRelease;
import dev.reckoner.improve.ImprovementService;
import dev.reckoner.improve.RegisteredAdapter;
import dev.reckoner.improve.TrainingRun;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.UUID;

/** The improvement loop, in this process or in a service that runs. */
sealed interface ImprovementAccess {

  TrainingRun start(boolean promote);

  TrainingRun run(UUID id);

  List<RegisteredAdapter> adapters();

  AdapterRelease promote(String id);

  /**
   * @param to where to; {@code null} for what served before
   */
  AdapterRelease rollback(String to);

  /** In this process. */
  record Local(ImprovementService service, String actor) implements ImprovementAccess {

    @Override
    public TrainingRun start(boolean promote) {
      return service.start(promote, actor);
    }

    @Override
    public TrainingRun run(UUID id) {
      return service.run(id).orElseThrow(() -> new UserException("there is no run " + id));
    }

    @Override
    public List<RegisteredAdapter> adapters() {
      return service.adapters();
    }

    @Override
    public AdapterRelease promote(String id) {
      return service.promote(id, actor);
    }

    @Override
    public AdapterRelease rollback(String to) {
      return to == null ? service.rollback(actor) : service.rollbackTo(to, actor);
    }
  }

  /**
   * In a service, by REST.
   *
   * @param base for example {@code http://localhost:8080}
   */
  record Remote(URI base, String user, String password) implements ImprovementAccess {

    private static final JsonMapper JSON =
        JsonMapper.builder()
            .addModule(new JavaTimeModule())
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();
    private static final HttpClient HTTP =
        HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();

    @Override
    public TrainingRun start(boolean promote) {
      return send(
          "POST",
          "training-runs",
          "{\"promoteIfPassed\":" + promote + "}",
          new TypeReference<>() {});
    }

    @Override
    public TrainingRun run(UUID id) {
      return send("GET", "training-runs/" + id, null, new TypeReference<>() {});
    }

    @Override
    public List<RegisteredAdapter> adapters() {
      return send("GET", "adapters", null, new TypeReference<>() {});
    }

    @Override
    public AdapterRelease promote(String id) {
      return send("POST", "adapters/" + encoded(id) + "/promote", "{}", new TypeReference<>() {});
    }

    @Override
    public AdapterRelease rollback(String to) {
      String query = to == null ? "" : "?to=" + encoded(to);
      return send("POST", "adapters/rollback" + query, "{}", new TypeReference<>() {});
    }

    private static String encoded(String text) {
      return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    private <T> T send(String method, String path, String body, TypeReference<T> type) {
      String login =
          Base64.getEncoder()
              .encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
      HttpRequest request =
          HttpRequest.newBuilder(base.resolve("/api/v1/" + path))
              .timeout(Duration.ofSeconds(30))
              .header("Authorization", "Basic " + login)
              .header("Accept", "application/json")
              .header("Content-Type", "application/json")
              .method(
                  method,
                  body == null
                      ? HttpRequest.BodyPublishers.noBody()
                      : HttpRequest.BodyPublishers.ofString(body))
              .build();
      try {
        HttpResponse<String> response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        return switch (response.statusCode()) {
          case 200, 201 -> JSON.readValue(response.body(), type);
          case 401 ->
              throw new UserException(
                  base + " does not know this login; check --user and RECKONER_PASSWORD");
          case 403 -> throw new UserException("the account " + user + " may not do this");
          default -> throw new UserException(problem(response));
        };
      } catch (IOException e) {
        throw new UserException(
            base + " does not answer; is the service running there? (--url)", e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new UserException("interrupted", e);
      }
    }

    private static String problem(HttpResponse<String> response) {
      try {
        JsonNode detail = JSON.readTree(response.body()).path("detail");
        if (detail.isTextual()) {
          return detail.asText();
        }
      } catch (IOException e) {
        // Not a problem document: the status has to do.
      }
      return response.uri() + " answered with status " + response.statusCode();
    }
  }
}
