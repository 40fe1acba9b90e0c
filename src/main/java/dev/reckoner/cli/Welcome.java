package dev.reckoner.cli;

import dev.reckoner.review.Accounts;
import jakarta.enterprise.context.ApplicationScoped;
import java.io.PrintStream;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/** Tells where the page is and, once, with which login. */
@ApplicationScoped
class Welcome {

  private final Accounts accounts;
  private final int port;
  private final boolean http;

  Welcome(
      Accounts accounts,
      @ConfigProperty(name = "quarkus.http.port", defaultValue = "8080") int port,
      @ConfigProperty(name = "quarkus.http.host-enabled", defaultValue = "true") boolean http) {
    this.accounts = accounts;
    this.port = port;
    this.http = http;
  }

  /** Creates the first account where there is none, and prints how to get in. */
  void print(PrintStream out) {
    if (!http) {
      return;
    }
    out.printf("%n  Reckoner is at http://localhost:%d%n", port);
    accounts
        .ensureOwner()
        .ifPresentOrElse(
            login ->
                out.printf(
                    "  Sign in as %s with %s (shown this once; './reckoner password' makes a new one)%n",
                    login.name(), login.password()),
            () ->
                out.printf(
                    "  Sign in as %s; './reckoner password' makes a new password%n",
                    Accounts.FIRST));
    out.println("  Ctrl-C stops it.");
  }
}
