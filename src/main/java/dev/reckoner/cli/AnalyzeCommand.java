package dev.reckoner.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.agent.DomainPack;
import dev.reckoner.agent.FinancialEvent;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.inference.InferenceEngine;
import dev.reckoner.inference.Reasoned;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** One event in, its chain with verdicts out. */
@Command(
    name = "analyze",
    mixinStandardHelpOptions = true,
    description = "Analyses one event and prints the chain with a verdict on each step.")
final class AnalyzeCommand implements Callable<Integer> {

  @Parameters(
      paramLabel = "FILE",
      description =
          "A CloudEvent, or a file of events, whose first is taken; - for standard input.")
  String source;

  @Option(names = "--json", description = "Print JSON.")
  boolean asJson;

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description = "A Gemma 3 checkpoint instead of the bundled model.")
  Path model;

  @Option(names = "--adapter", paramLabel = "DIR", description = "A PEFT adapter to apply.")
  Path adapter;

  @Option(
      names = "--precision",
      defaultValue = "NF4",
      description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
  Precision precision;

  @Option(
      names = "--backend",
      defaultValue = "auto",
      description = Backends.NAMES + " (default: ${DEFAULT-VALUE}).")
  String backend;

  @Option(
      names = "--timings",
      description = "Print to standard error when each stage of the start was reached.")
  boolean timings;

  /** Runs by itself: a start is short enough for the other commands' options to count. */
  static int execute(String... args) {
    return PlainMain.line(new AnalyzeCommand()).setCommandName("reckoner analyze").execute(args);
  }

  @Override
  public Integer call() throws InterruptedException, JsonProcessingException {
    StartTimes times = new StartTimes();
    times.reached("program");
    CompletableFuture<Void> prepared = Backends.prepare(backend);
    FutureTask<Reasoner> opening = new FutureTask<>(() -> open(times));
    Thread.ofPlatform().daemon().name("reckoner-opening").start(opening);
    FinancialEvent event = EventInput.read(source);
    Evidence evidence = DomainPack.load("finance").evidence(event);
    times.reached("event read");
    try (Reasoner reasoner = get(opening)) {
      prepared.join();
      times.reached("compiled");
      LoraAdapter lora = adapter == null ? null : reasoner.load(adapter);
      Reasoned reasoned =
          reasoner.reason(
              evidence, lora, Reasoner.Options.DEFAULT, timings ? times.firstToken() : null);
      times.reached("last token");
      if (asJson) {
        System.out.println(json(event, evidence, reasoned, reasoner, lora));
      } else {
        print(System.out, evidence, reasoned);
      }
      if (timings) {
        times.print(System.err);
      }
      return 0;
    }
  }

  /** The model is opened while the event is read. */
  private Reasoner open(StartTimes times) {
    Path cache = new ServerOptions().dataDirectory().resolve("model-cache");
    Backend device = Backends.open(backend);
    Path directory = model == null ? BundledModel.directory(cache) : model;
    times.reached("model found");
    Reasoner reasoner = Reasoner.open(directory, device, precision, InferenceEngine.Limits.DEFAULT);
    times.reached("model loaded");
    return reasoner;
  }

  private static Reasoner get(FutureTask<Reasoner> opening) throws InterruptedException {
    try {
      return opening.get();
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException failure
          ? failure
          : new IllegalStateException(e.getCause());
    }
  }

  private static void print(PrintStream out, Evidence evidence, Reasoned reasoned) {
    out.println(evidence.title());
    out.println(evidence.question());
    out.println();
    for (int i = 0; i < reasoned.chain().steps().size(); i++) {
      Verdict verdict = reasoned.verdicts().get(i);
      out.printf(
          "%s %s%n    %s: %s%n",
          verdict.passed() ? "✓" : "✗",
          reasoned.chain().steps().get(i).text(),
          verdict.kind().text(),
          verdict.reason());
    }
    out.printf(
        Locale.ROOT,
        "%n%s  (confidence %.2f, %d tokens)%n",
        reasoned.answer(),
        reasoned.generation().confidence(),
        reasoned.generation().tokens().length);
  }

  private static String json(
      FinancialEvent event,
      Evidence evidence,
      Reasoned reasoned,
      Reasoner reasoner,
      LoraAdapter adapter)
      throws JsonProcessingException {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    root.put("event", event.key()).put("subject", event.subject()).put("type", event.type());
    root.put("title", evidence.title()).put("question", evidence.question());
    root.put("answer", reasoned.answer()).put("confidence", reasoned.generation().confidence());
    root.put("verified", reasoned.verified()).put("chain", reasoned.generation().text());
    var steps = root.putArray("steps");
    for (int i = 0; i < reasoned.chain().steps().size(); i++) {
      Verdict verdict = reasoned.verdicts().get(i);
      ObjectNode step = steps.addObject();
      step.put("text", reasoned.chain().steps().get(i).text());
      step.put("verdict", verdict.kind().text()).put("reason", verdict.reason());
      step.put("confidence", reasoned.confidences().get(i));
      verdict.places().stream().map(Place::address).forEach(step.putArray("places")::add);
    }
    root.put("baseModelHash", reasoner.modelHash());
    root.put("adapterHash", adapter == null ? null : adapter.hash());
    root.put("backend", reasoner.backendName());
    return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(root);
  }
}
