package dev.reckoner.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.reckoner.improve.AdapterRelease;
import dev.reckoner.improve.ImprovementService;
import dev.reckoner.improve.RegisteredAdapter;
import io.quarkus.runtime.QuarkusApplication;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The adapters there are, and which of them serves. */
@Command(
    name = "adapters",
    mixinStandardHelpOptions = true,
    description = {
      "Lists the adapters, promotes one that passed the gate, or rolls back.",
      "A roll-back without an id goes to what served before; with the id base, to the bare model."
    })
final class AdaptersCommand implements Callable<Integer> {

  /** What to do. */
  enum Action {
    LIST,
    PROMOTE,
    ROLLBACK
  }

  @Mixin ImprovementOptions where = new ImprovementOptions();

  @Parameters(
      index = "0",
      arity = "0..1",
      defaultValue = "list",
      paramLabel = "ACTION",
      description = "list, promote or rollback (default: ${DEFAULT-VALUE}).")
  Action action;

  @Parameters(index = "1", arity = "0..1", paramLabel = "ID", description = "An adapter's id.")
  String id;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    if (action == Action.PROMOTE && id == null) {
      throw new ParameterException(spec.commandLine(), "promote which adapter? name its id");
    }
    return where.with(spec, Application.class, this::act);
  }

  /** When this process holds the data directory. */
  static final class Application implements QuarkusApplication {

    private final ImprovementService service;

    Application(ImprovementService service) {
      this.service = service;
    }

    @Override
    public int run(String... args) {
      return Main.options(args, AdaptersCommand.class)
          .act(new ImprovementAccess.Local(service, System.getProperty("user.name")));
    }
  }

  private int act(ImprovementAccess access) {
    switch (action) {
      case LIST -> list(access.adapters());
      case PROMOTE -> announce(access.promote(id));
      case ROLLBACK -> announce(access.rollback(id));
    }
    return 0;
  }

  private static void announce(AdapterRelease release) {
    System.out.println(
        release.adapterId().equals(AdapterRelease.BASE)
            ? "the base model serves without an adapter from now on"
            : release.adapterId() + " serves from now on");
  }

  private static void list(List<RegisteredAdapter> adapters) {
    if (adapters.isEmpty()) {
      System.out.println("no adapters yet: train one with `reckoner train`");
    }
    for (RegisteredAdapter adapter : adapters) {
      JsonNode gate = adapter.gate();
      String refusal = gate == null ? "" : gate.path("refusal").asText("");
      System.out.printf(
          "%-24s %-10s %s  %s%s%n",
          adapter.id(),
          adapter.aliases().contains("champion")
              ? "champion"
              : adapter.passed() ? "passed" : "refused",
          adapter.createdAt(),
          adapter.sha256().substring(0, 12),
          refusal.isEmpty() ? "" : "  " + refusal);
    }
  }
}
