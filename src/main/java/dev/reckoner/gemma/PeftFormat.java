package dev.reckoner.gemma;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.SafetensorsFile;
import dev.reckoner.tensor.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.Set;

/** Adapters as PEFT stores them: adapter_config.json and adapter_model.safetensors. */
final class PeftFormat {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String CONFIG = "adapter_config.json";
  private static final String WEIGHTS = "adapter_model.safetensors";

  private PeftFormat() {}

  static LoraSpec readConfig(Path dir) {
    Path file = dir.resolve(CONFIG);
    JsonNode c;
    try {
      c = JSON.readTree(Files.readAllBytes(file));
    } catch (NoSuchFileException e) {
      throw new ModelFormatException(file + ": no such file; name a PEFT adapter directory", e);
    } catch (IOException e) {
      throw new ModelFormatException(
          "%s: %s".formatted(file, String.valueOf(e.getMessage()).lines().findFirst().orElse("")),
          e);
    }
    refuseUnless(file, c.path("peft_type").asText().equals("LORA"), "peft_type is not LORA");
    refuseUnless(file, !c.path("use_dora").asBoolean(), "use_dora is not supported");
    refuseUnless(file, !c.path("fan_in_fan_out").asBoolean(), "fan_in_fan_out is not supported");
    refuseUnless(file, c.path("bias").asText("none").equals("none"), "bias is not supported");
    refuseUnless(file, c.path("modules_to_save").isEmpty(), "modules_to_save is not supported");
    refuseUnless(file, c.path("rank_pattern").isEmpty(), "rank_pattern is not supported");
    refuseUnless(file, c.path("alpha_pattern").isEmpty(), "alpha_pattern is not supported");
    refuseUnless(
        file,
        c.path("target_modules").isArray() && !c.path("target_modules").isEmpty(),
        "target_modules must be a list of names");
    Set<Target> targets = EnumSet.noneOf(Target.class);
    for (JsonNode t : c.get("target_modules")) {
      String module = t.asText();
      targets.add(Target.ofModule(module.substring(module.lastIndexOf('.') + 1)));
    }
    refuseUnless(file, c.path("r").asInt() > 0, "r is missing");
    return new LoraSpec(
        c.get("r").asInt(),
        (float) c.path("lora_alpha").asDouble(8),
        c.path("use_rslora").asBoolean(),
        (float) c.path("lora_dropout").asDouble(0),
        targets);
  }

  private static void refuseUnless(Path file, boolean condition, String message) {
    if (!condition) {
      throw new ModelFormatException("%s: %s".formatted(file, message));
    }
  }

  static void readWeights(Path dir, Parameters parameters) {
    Path file = dir.resolve(WEIGHTS);
    try (SafetensorsFile weights = SafetensorsFile.open(file)) {
      Set<String> unused = new HashSet<>(weights.entries().keySet());
      for (Parameters.Entry e : parameters.entries()) {
        parameters.write(e, weights.get(e.name()).values(e.rows(), e.columns()));
        unused.remove(e.name());
      }
      if (!unused.isEmpty()) {
        throw new ModelFormatException(
            "%s: tensor %s belongs to no adapted layer of this model"
                .formatted(file, unused.stream().sorted().findFirst().orElseThrow()));
      }
    }
  }

  static void write(Path dir, LoraSpec spec, String baseModelName, Parameters parameters) {
    ObjectNode c = JSON.createObjectNode();
    c.putObject("alpha_pattern");
    c.put("base_model_name_or_path", baseModelName);
    c.put("bias", "none");
    c.put("fan_in_fan_out", false);
    c.put("inference_mode", true);
    c.put("init_lora_weights", true);
    if (spec.alpha() == (int) spec.alpha()) {
      c.put("lora_alpha", (int) spec.alpha());
    } else {
      c.put("lora_alpha", spec.alpha());
    }
    c.put("lora_dropout", Double.parseDouble(Float.toString(spec.dropout())));
    c.putNull("modules_to_save");
    c.put("peft_type", "LORA");
    c.put("r", spec.rank());
    c.putObject("rank_pattern");
    var modules = c.putArray("target_modules");
    spec.targets().forEach(t -> modules.add(t.module()));
    c.put("task_type", "CAUSAL_LM");
    c.put("use_dora", false);
    c.put("use_rslora", spec.rsLora());
    SafetensorsWriter writer = new SafetensorsWriter();
    for (Parameters.Entry e : parameters.entries()) {
      writer.add(e.name(), DType.F32, new int[] {e.rows(), e.columns()}, () -> parameters.read(e));
    }
    try {
      Files.createDirectories(dir);
      Files.writeString(dir.resolve(CONFIG), c.toPrettyString() + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(dir + " could not be written", e);
    }
    writer.write(dir.resolve(WEIGHTS));
  }
}
