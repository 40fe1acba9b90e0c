package dev.reckoner.review;

import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.UriInfo;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;

/** Answers errors as {@code application/problem+json} (RFC 9457). */
public class ProblemMapper {

  /** The media type of a problem. */
  public static final String PROBLEM_JSON = "application/problem+json";

  @ServerExceptionMapper
  Response review(ReviewException e, UriInfo uri) {
    return problem(
        e.problem().status(),
        "/problems/" + e.problem().slug(),
        e.problem().title(),
        e.getMessage(),
        uri,
        e.details());
  }

  @ServerExceptionMapper
  Response web(WebApplicationException e, UriInfo uri) {
    Response response = e.getResponse();
    if (response.hasEntity() || response.getStatus() < 400) {
      return response;
    }
    String detail =
        switch (response.getStatus()) {
          case 400 -> "The request cannot be read: it is not the JSON that this address expects";
          case 404 -> "There is nothing at this address";
          case 413 -> "The request is too large";
          case 415 -> "This address takes another media type";
          default -> response.getStatusInfo().getReasonPhrase();
        };
    return problem(
        response.getStatus(),
        "about:blank",
        response.getStatusInfo().getReasonPhrase(),
        detail,
        uri,
        Map.of());
  }

  private static Response problem(
      int status, String type, String title, String detail, UriInfo uri, Map<String, Object> more) {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("type", type);
    body.put("title", title);
    body.put("status", status);
    body.put("detail", detail);
    body.put("instance", uri.getPath());
    body.putAll(more);
    return Response.status(status).type(PROBLEM_JSON).entity(body).build();
  }
}
