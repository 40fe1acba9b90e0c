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
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
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

  @Override
  public Integer call() throws InterruptedException, JsonProcessingException {
    FinancialEvent event = EventInput.read(source);
    Evidence evidence = DomainPack.load("finance").evidence(event);
    Path cache = new ServerOptions().dataDirectory().resolve("model-cache");
    Path directory = model == null ? BundledModel.directory(cache) : model;
    try (Reasoner reasoner =
        Reasoner.open(
            directory, Backends.open(backend), precision, InferenceEngine.Limits.DEFAULT)) {
      LoraAdapter lora = adapter == null ? null : reasoner.load(adapter);
      Reasoned reasoned = reasoner.reason(evidence, lora, Reasoner.Options.DEFAULT);
      if (asJson) {
        System.out.println(json(event, evidence, reasoned, reasoner, lora));
      } else {
        print(System.out, evidence, reasoned);
      }
      return 0;
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
