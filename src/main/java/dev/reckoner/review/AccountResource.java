package dev.reckoner.review;

import dev.reckoner.review.ReviewException.Problem;
import io.quarkus.security.identity.SecurityIdentity;
import jakarta.annotation.security.RolesAllowed;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.PUT;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.List;
import java.util.function.Supplier;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/** Who may sign in; for owners. */
@Path("/api/v1/accounts")
@Consumes(MediaType.APPLICATION_JSON)
@RolesAllowed("owner")
@Tag(name = "Accounts")
public class AccountResource {

  private final Accounts accounts;
  private final SecurityIdentity identity;

  AccountResource(Accounts accounts, SecurityIdentity identity) {
    this.accounts = accounts;
    this.identity = identity;
  }

  /** An account to create. */
  public record NewAccount(String name, String role) {}

  /** Whether an account may sign in. */
  public record Enabled(boolean enabled) {}

  @GET
  @Operation(summary = "All accounts, without their secrets")
  public List<Accounts.Account> all() {
    return accounts.all();
  }

  @POST
  @Operation(summary = "Creates an account with a random password, which is shown once")
  @APIResponse(responseCode = "201", description = "Name and password")
  @APIResponse(responseCode = "422", description = "The name is taken or malformed")
  public Response create(NewAccount account) {
    if (account == null || account.name() == null || account.role() == null) {
      throw new ReviewException(Problem.INVALID, "An account has a name and a role");
    }
    return Response.status(201)
        .entity(checked(() -> accounts.create(account.name(), account.role())))
        .build();
  }

  @POST
  @Path("{name}/password")
  @Consumes(MediaType.WILDCARD)
  @Operation(summary = "Gives an account a new random password, which is shown once")
  public Accounts.Login reset(@PathParam("name") String name) {
    return checked(() -> accounts.resetPassword(name));
  }

  @PUT
  @Path("{name}/enabled")
  @Operation(summary = "Lets an account sign in, or no longer")
  public void enable(@PathParam("name") String name, Enabled state) {
    if (state == null) {
      throw new ReviewException(Problem.INVALID, "Say whether the account is enabled");
    }
    if (!state.enabled() && name.equals(identity.getPrincipal().getName())) {
      throw new ReviewException(Problem.INVALID, "You cannot lock yourself out");
    }
    checked(
        () -> {
          accounts.enable(name, state.enabled());
          return null;
        });
  }

  private static <T> T checked(Supplier<T> action) {
    try {
      return action.get();
    } catch (IllegalArgumentException e) {
      throw new ReviewException(Problem.INVALID, e.getMessage());
    }
  }
}
