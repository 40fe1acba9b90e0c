package dev.reckoner.cli;

import dev.reckoner.embedded.EmbeddedServices;
import dev.reckoner.review.Accounts;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.JdbiException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Gives an account a new password. */
@Command(
    name = "password",
    mixinStandardHelpOptions = true,
    description = {
      "Gives an account a new random password and prints it.",
      "With the embedded database, stop the demo or service first."
    })
final class PasswordCommand implements Callable<Integer> {

  @Parameters(
      arity = "0..1",
      paramLabel = "ACCOUNT",
      defaultValue = Accounts.FIRST,
      description = "Which account (default: ${DEFAULT-VALUE}).")
  String account;

  @Option(names = "--data-dir", paramLabel = "DIR", description = "As for demo and start.")
  Path dataDir;

  @Override
  public Integer call() {
    ServerOptions options = new ServerOptions();
    options.dataDir = dataDir;
    Settings settings = Settings.read();
    EmbeddedServices.Wanted wanted =
        new EmbeddedServices.Wanted(false, !settings.has("quarkus.datasource.jdbc.url"), 0, 0);
    try (EmbeddedServices services =
        EmbeddedServices.start(options.dataDirectory(), "reckoner password", wanted, phase -> {})) {
      Map<String, String> embedded = services.configuration();
      Jdbi jdbi =
          Jdbi.create(
              settings.or("quarkus.datasource.jdbc.url", embedded),
              settings.or("quarkus.datasource.username", embedded),
              settings.or("quarkus.datasource.password", embedded));
      Accounts.Login login = new Accounts(jdbi).resetPassword(account);
      System.out.printf("%s: %s%n", login.name(), login.password());
      return 0;
    } catch (JdbiException e) {
      throw new UserException(
          "the accounts can not be reached; run demo or start once first (%s)"
              .formatted(e.getMessage().lines().findFirst().orElse("")),
          e);
    }
  }
}
