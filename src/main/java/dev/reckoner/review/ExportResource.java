package dev.reckoner.review;

import dev.reckoner.review.ReviewException.Problem;
import jakarta.annotation.security.RolesAllowed;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.StreamingOutput;
import java.util.Locale;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/** Takes the decisions out, for training elsewhere. */
@Path("/api/v1/exports")
@RolesAllowed({"owner", "service"})
@Tag(name = "Exports", description = "Decisions as JSON lines")
public class ExportResource {

  private final Exports exports;

  ExportResource(Exports exports) {
    this.exports = exports;
  }

  @GET
  @Path("{format}")
  @Produces(Exports.JSON_LINES)
  @Operation(summary = "Standing decisions as JSON lines: sft, dpo, kto, steps or decisions")
  @APIResponse(responseCode = "200", description = "One sample a line")
  @APIResponse(responseCode = "404", description = "There is no such format")
  public Response export(@PathParam("format") String format) {
    Exports.Format chosen;
    try {
      chosen = Exports.Format.valueOf(format.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new ReviewException(
          Problem.NOT_FOUND,
          "There is no export " + format + ": take sft, dpo, kto, steps or decisions");
    }
    StreamingOutput body = out -> exports.write(chosen, out);
    return Response.ok(body)
        .header(
            "Content-Disposition",
            "attachment; filename=\"" + chosen.name().toLowerCase(Locale.ROOT) + ".jsonl\"")
        .build();
  }
}
