package dev.reckoner.review;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.exc.InvalidDefinitionException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.UriInfo;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;
import org.jdbi.v3.core.ConnectionException;
import org.jdbi.v3.core.JdbiException;

/** Answers errors as {@code application/problem+json} (RFC 9457). */
public class ProblemMapper {

  private static final Logger LOG = Logger.getLogger(ProblemMapper.class);

  // Classes of SQL states.
  private static final String DATA_EXCEPTION = "22";
  private static final String CONNECTION_EXCEPTION = "08";

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

  /** JSON of another shape than the address expects; a member that is wrong is named. */
  @ServerExceptionMapper
  Response shape(MismatchedInputException e, UriInfo uri) {
    String where =
        e.getPath().stream()
            .map(JsonMappingException.Reference::getFieldName)
            .filter(Objects::nonNull)
            .collect(Collectors.joining("."));
    return unreadable(
        where.isEmpty()
            ? "The request is not the JSON that this address expects"
            : where + " has not the value that this address expects there",
        uri);
  }

  /** Such as a member that is there twice. */
  @ServerExceptionMapper
  Response definition(InvalidDefinitionException e, UriInfo uri) {
    if (e.getProcessor() instanceof JsonGenerator) {
      LOG.errorf(e, "%s was not served", uri.getPath());
      return unexpected(uri);
    }
    return unreadable("The request is not the JSON that this address expects", uri);
  }

  @ServerExceptionMapper
  Response json(JsonProcessingException e, UriInfo uri) {
    return unreadable("The request cannot be read: it is no valid JSON", uri);
  }

  private static Response unreadable(String detail, UriInfo uri) {
    return problem(400, "about:blank", "Bad Request", detail, uri, Map.of());
  }

  /**
   * What the database does not take is a fault of the request where it is the values: a zero byte
   * in a text, a time or a number out of range.
   */
  @ServerExceptionMapper
  Response database(JdbiException e, UriInfo uri) {
    String state = sqlState(e);
    if (state.startsWith(DATA_EXCEPTION)) {
      return review(
          new ReviewException(
              ReviewException.Problem.INVALID,
              "A value of the request cannot be stored: it is out of range, or has a character"
                  + " that no text has"),
          uri);
    }
    LOG.errorf(e, "%s was not served", uri.getPath());
    boolean away = e instanceof ConnectionException || state.startsWith(CONNECTION_EXCEPTION);
    return away
        ? problem(
            503,
            "/problems/database-away",
            "The database cannot be reached",
            "Nothing was stored. Try again in a moment",
            uri,
            Map.of())
        : unexpected(uri);
  }

  /** Nothing of it is for whoever asked; it is in the log. */
  @ServerExceptionMapper
  Response unexpected(RuntimeException e, UriInfo uri) {
    LOG.errorf(e, "%s was not served", uri.getPath());
    return unexpected(uri);
  }

  private static Response unexpected(UriInfo uri) {
    return problem(
        500,
        "about:blank",
        "Internal Server Error",
        "This is a fault of the service, and is in its log. Nothing was stored",
        uri,
        Map.of());
  }

  private static String sqlState(Throwable e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof SQLException sql && sql.getSQLState() != null) {
        return sql.getSQLState();
      }
    }
    return "";
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
