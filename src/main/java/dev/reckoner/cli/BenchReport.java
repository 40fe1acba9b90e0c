package dev.reckoner.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.tensor.cpu.MachineLimit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a bench prints: a table to read or one JSON object. */
final class BenchReport {

  static final String OURS = "reckoner";

  private static final Path STATUS = Path.of("/proc/self/status");

  private final String backend;
  private final String model;
  private final List<BenchRate> rates = new ArrayList<>();
  private final Map<String, Double> megabytes = new LinkedHashMap<>();

  BenchReport(String backend, String model) {
    this.backend = backend;
    this.model = model;
  }

  void add(BenchRate rate) {
    rates.add(rate);
  }

  /** Notes this process's resident memory now and at its highest, where the system tells. */
  void memory(String when) {
    if (!Files.isReadable(STATUS)) {
      return;
    }
    try {
      for (String line : Files.readAllLines(STATUS)) {
        if (line.startsWith("VmRSS:")) {
          megabytes.put("resident " + when, kilobytes(line) / 1e3);
        } else if (line.startsWith("VmHWM:")) {
          megabytes.put("resident at most", kilobytes(line) / 1e3);
        }
      }
    } catch (IOException e) {
      megabytes.clear(); // the kernel does not tell
    }
  }

  /** Notes the peer's version and its resident memory in MB, now and at its highest. */
  void peer(String version, double[] resident) {
    megabytes.put(BenchPeer.NAME + " " + version + ", resident", resident[0]);
    megabytes.put(BenchPeer.NAME + " " + version + ", at most", resident[1]);
  }

  private static double kilobytes(String line) {
    return 1.024 * Long.parseLong(line.replaceAll("\\D", ""));
  }

  String table(MachineLimit limit) {
    StringBuilder text = new StringBuilder(model + " on " + backend).append('\n');
    if (limit != null) {
      text.append(
          "limits measured in this run: %.0f GFLOP/s fp32, %.1f GB/s%n"
              .formatted(limit.gflops(), limit.gigabytesPerSecond()));
    }
    text.append(
        "%-34s %-10s %10s %10s %10s %8s %8s %7s%n"
            .formatted("", "", "ms", "tok/s", "GFLOP/s", "GB/s", "of limit", "kept"));
    for (BenchRate r : rates) {
      double share = fraction(r, limit);
      text.append(
          "%-34s %-10s %10.1f %10.1f %10s %8s %8s %7s%n"
              .formatted(
                  r.name(),
                  r.engine(),
                  r.seconds() * 1e3,
                  r.tokensPerSecond(),
                  number("%.1f", r.gflops()),
                  number("%.1f", r.gigabytesPerSecond()),
                  number("%.0f%%", 100 * share),
                  r.kept() + "/" + r.repetitions()));
    }
    megabytes.forEach((what, size) -> text.append("%-34s %.0f MB%n".formatted(what, size)));
    return text.toString().stripTrailing();
  }

  private static String number(String format, double value) {
    return Double.isNaN(value) ? "" : format.formatted(value);
  }

  /** The larger of the shares of compute and bandwidth that a rate uses; NaN if unknown. */
  private static double fraction(BenchRate r, MachineLimit limit) {
    if (limit == null || Double.isNaN(r.gflops())) {
      return Double.NaN;
    }
    double compute = r.gflops() / limit.gflops();
    return Double.isNaN(r.gigabytesPerSecond())
        ? compute
        : Math.max(compute, r.gigabytesPerSecond() / limit.gigabytesPerSecond());
  }

  String json(MachineLimit limit) {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    root.put("backend", backend).put("model", model);
    if (limit != null) {
      root.set("limit", mapper.valueToTree(limit));
    }
    var list = root.putArray("rates");
    for (BenchRate r : rates) {
      ObjectNode node = list.addObject();
      node.put("name", r.name()).put("engine", r.engine()).put("seconds", r.seconds());
      known(node, "tokensPerSecond", r.tokensPerSecond());
      known(node, "gflops", r.gflops());
      known(node, "gigabytesPerSecond", r.gigabytesPerSecond());
      known(node, "fractionOfLimit", fraction(r, limit));
      node.put("kept", r.kept()).put("repetitions", r.repetitions());
    }
    root.set("megabytes", mapper.valueToTree(megabytes));
    return root.toPrettyString();
  }

  private static void known(ObjectNode node, String key, double value) {
    if (!Double.isNaN(value)) {
      node.put(key, value);
    }
  }
}
