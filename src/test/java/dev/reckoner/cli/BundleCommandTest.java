package dev.reckoner.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The archive unpacked elsewhere and run with an empty environment: no Java but its own. */
class BundleCommandTest {

  private static final long MEGABYTE = 1_000_000;

  @TempDir static Path directory;

  private static Path reckoner;

  private record Result(int code, String out, String err) {}

  @BeforeAll
  static void unpack() throws Exception {
    Path archive = directory.resolve("bundle.tar.gz");
    assertThat(Main.commandLine().execute("bundle", "--out", archive.toString())).isZero();
    assertThat(Files.size(archive)).isBetween(10 * MEGABYTE, 60 * MEGABYTE);
    Path elsewhere = Files.createDirectory(directory.resolve("else where"));
    assertThat(run(elsewhere, "tar", "xzf", archive.toString()).code()).isZero();
    reckoner = elsewhere.resolve("reckoner/reckoner");
  }

  /** Runs a program with nothing in its environment but a path to the shell's tools. */
  private static Result run(Path where, String... command) throws Exception {
    Path out = Files.createTempFile(directory, "out", ".txt");
    Path err = Files.createTempFile(directory, "err", ".txt");
    ProcessBuilder builder = new ProcessBuilder(command).directory(where.toFile());
    builder.environment().clear();
    builder.environment().putAll(Map.of("PATH", "/usr/bin:/bin", "HOME", directory.toString()));
    Process process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
    if (!process.waitFor(5, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      throw new AssertionError(List.of(command) + " hangs: " + Files.readString(err));
    }
    return new Result(process.exitValue(), Files.readString(out), Files.readString(err));
  }

  private static Result reckoner(String... arguments) throws Exception {
    String[] command = new String[arguments.length + 1];
    command[0] = reckoner.toString();
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    return run(directory, command);
  }

  private static String model() throws Exception {
    return Path.of(BundleCommand.class.getResource("/model/config.json").toURI())
        .getParent()
        .toString();
  }

  private static String event() throws IOException {
    Path event = directory.resolve("event.jsonl");
    try (InputStream samples =
        BundleCommandTest.class.getResourceAsStream("/packs/finance/samples.jsonl")) {
      String all = new String(samples.readAllBytes(), StandardCharsets.UTF_8);
      Files.writeString(event, all.lines().findFirst().orElseThrow());
    }
    return event.toString();
  }

  @Test
  void evaluatesAndAnalyses() throws Exception {
    Result evaluated = reckoner("evaluate", "--limit", "2", "--backend", "cpu", "--model", model());
    assertThat(evaluated.code()).as(evaluated.err()).isZero();
    assertThat(evaluated.out()).contains("2 problems", "fully verified chains");
    Result analysed =
        reckoner("analyze", event(), "--backend", "cpu", "--json", "--model", model());
    assertThat(analysed.code()).as(analysed.err()).isZero();
    assertThat(analysed.out()).contains("\"verdict\"", "\"backend\" : \"cpu/nf4\"");
  }

  /** The launcher runs an analysis with these jars alone. */
  @Test
  void analysesWithTheJarsItPacksFrom() throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(BundleCommand.JVM_ARGS.split(" ")));
    command.addAll(List.of("-cp", ClassPath.line(), Main.class.getName()));
    command.addAll(List.of("analyze", event(), "--backend", "cpu", "--json"));
    Result analysed = run(directory, command.toArray(String[]::new));
    assertThat(analysed.code()).as(analysed.err()).isZero();
    assertThat(analysed.out()).contains("\"verdict\"", "\"backend\" : \"cpu/nf4\"");
  }

  /** Flags of an analysis, which otherwise takes half as long again, and those of the user. */
  @Test
  void analysesUnderFlagsOfItsOwn() throws Exception {
    String flags =
        "RECKONER_JAVA_OPTS=-XX:+UnlockDiagnosticVMOptions -XX:+DisplayVMOutput -XX:+PrintCommandLineFlags -Xmx777m";
    for (String command : List.of("analyze", "evaluate")) {
      Result version = run(directory, "env", flags, reckoner.toString(), command, "--version");
      assertThat(version.code()).as(version.err()).isZero();
      assertThat(version.out()).contains("MaxHeapSize=" + (777 << 20));
      assertThat(version.out().contains("else where/reckoner/jvm/kernels.json"))
          .isEqualTo(command.equals("analyze"));
    }
  }

  @Test
  void trainsAnAdapter() throws Exception {
    Path data = directory.resolve("train.jsonl");
    Files.writeString(
        data,
        """
        {"messages":[{"role":"user","content":"2 + 2?"},{"role":"assistant","content":"4"}]}
        """);
    Path recipe = directory.resolve("recipe.yaml");
    Files.writeString(recipe, "maxSteps: 2\n");
    Path out = directory.resolve("trained");
    Result trained =
        reckoner(
            "train",
            "--data",
            data.toString(),
            "--recipe",
            recipe.toString(),
            "--out",
            out.toString(),
            "--backend",
            "cpu",
            "--model",
            model());
    assertThat(trained.code()).as(trained.err()).isZero();
    assertThat(out.resolve("adapter/adapter_model.safetensors")).exists();
  }

  @Test
  void measuresAShapeWithoutAModel() throws Exception {
    Result measured =
        reckoner(
            "bench",
            "inference",
            "--backend",
            "cpu",
            "--shape",
            "gemma-3-270m",
            "--only",
            "prefill,decode",
            "--batch",
            "1,9",
            "--prompt",
            "16",
            "--iterations",
            "1");
    assertThat(measured.code()).as(measured.err()).isZero();
    assertThat(measured.out()).contains("prefill 16", "decode, batch 1,", "decode, batch 9,");
  }

  @Test
  void saysWhatIsMissing() throws Exception {
    Result noData = reckoner("train");
    assertThat(noData.code()).isEqualTo(1);
    assertThat(noData.err()).contains("whole program").doesNotContain("\tat ");
    Result noModel = reckoner("evaluate", "--limit", "1", "--backend", "cpu");
    assertThat(noModel.code()).isEqualTo(1);
    assertThat(noModel.err()).contains("no bundled model", "--model");
  }

  @Test
  void passesTheFlagsOfThePom() throws IOException {
    assertThat(Files.readString(Path.of("pom.xml")))
        .contains("<reckoner.jvm.args>" + BundleCommand.JVM_ARGS + "</reckoner.jvm.args>");
  }
}
