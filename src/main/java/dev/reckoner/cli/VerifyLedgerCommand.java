package dev.reckoner.cli;

import dev.reckoner.improve.Ledger;
import io.quarkus.runtime.QuarkusApplication;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jdbi.v3.core.Jdbi;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Walks the ledger. */
@Command(
    name = "verify-ledger",
    mixinStandardHelpOptions = true,
    description = {
      "Checks the hash chain of the ledger: finds an entry that was altered, removed or moved.",
      "Exit codes: 0 whole, 1 an error, 3 broken."
    })
final class VerifyLedgerCommand implements Callable<Integer> {

  private static final int BROKEN = 3;

  @Mixin ServerOptions server = new ServerOptions();

  @Override
  public Integer call() {
    Map<String, String> settings = new HashMap<>(LogSettings.quiet());
    settings.put("quarkus.http.host-enabled", "false");
    try (Progress progress = new Progress(System.err, false)) {
      return new ServerProcess(server, progress, settings)
          .run("reckoner verify-ledger", Application.class);
    }
  }

  static final class Application implements QuarkusApplication {

    private final Ledger ledger;
    private final Jdbi jdbi;

    Application(Ledger ledger, Jdbi jdbi) {
      this.ledger = ledger;
      this.jdbi = jdbi;
    }

    @Override
    public int run(String... args) {
      Ledger.Verification found = ledger.verify(jdbi);
      if (found.problem().isPresent()) {
        System.out.println("the ledger is broken: " + found.problem().get());
        return BROKEN;
      }
      System.out.println("the ledger is whole: " + found.entries() + " entries");
      return 0;
    }
  }
}
