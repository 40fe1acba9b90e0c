package dev.reckoner.review;

import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.core.MultiMap;
import jakarta.enterprise.event.Observes;

/** Headers that keep a browser from doing on a page what the page did not ask for. */
public class SecurityHeaders {

  private static final int BEFORE_SECURITY = 900;

  void register(@Observes Filters filters) {
    filters.register(
        context -> {
          MultiMap headers = context.response().headers();
          headers.set(
              "Content-Security-Policy",
              "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
                  + " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
                  + " frame-ancestors 'none'");
          headers.set("X-Content-Type-Options", "nosniff");
          headers.set("X-Frame-Options", "DENY");
          headers.set("Referrer-Policy", "same-origin");
          headers.set("Permissions-Policy", "camera=(), geolocation=(), microphone=()");
          headers.set("Cross-Origin-Opener-Policy", "same-origin");
          if (!context.normalizedPath().startsWith("/static/")) {
            headers.set("Cache-Control", "no-store");
          }
          context.next();
        },
        BEFORE_SECURITY);
  }
}
