package dev.reckoner.cli;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.util.Utils;
import com.ethlo.time.ITU;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import com.google.gson.Gson;
import com.networknt.schema.JsonSchema;
import io.cloudevents.CloudEvent;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.jackson.JsonFormat;
import io.cloudevents.kafka.KafkaMessageFactory;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.LocalDateTime;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import me.tongfei.progressbar.ProgressBar;
import org.apache.commons.codec.digest.DigestUtils;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorOutputStream;
import org.apache.commons.compress.compressors.gzip.GzipParameters;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jline.terminal.Terminal;
import org.knowm.xchart.XYChart;
import org.slf4j.Logger;
import org.yaml.snakeyaml.Yaml;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Writes one archive that runs the engine's commands where neither Java nor anything of this
 * program is: a jlinked runtime, the libraries these commands use, this program's classes and
 * kernels. A GPU machine adds its driver and the CUDA libraries.
 */
@Command(
    name = "bundle",
    mixinStandardHelpOptions = true,
    description = {
      "Makes one archive that trains, evaluates and measures on a machine of this kind without"
          + " Java.",
      "For a GPU it needs the NVIDIA driver and the CUDA 12 or 13 runtime libraries there. Unpack"
          + " it and run reckoner/reckoner --help."
    })
final class BundleCommand implements Callable<Integer> {

  static final String ROOT = "reckoner/";

  /** As reckoner.jvm.args in the POM. */
  static final String JVM_ARGS =
      "--add-modules jdk.incubator.vector --enable-native-access=ALL-UNNAMED"
          + " --sun-misc-unsafe-memory-access=allow -XX:+UseTransparentHugePages -XX:+UseSerialGC"
          + " -XX:MaxNewSize=64m -XX:TrimNativeHeapInterval=10000";

  private static final String MODULES =
      "java.base,java.logging,java.management,java.naming,java.net.http,java.sql,java.xml,"
          + "jdk.incubator.vector,jdk.unsupported";

  private static final String SCRIPT =
      """
      #!/bin/sh
      # Runs Reckoner's engine with the Java that is packed here. See reckoner --help.
      here="$(cd "$(dirname "$(readlink -f "$0")")" && pwd)"
      export RUST_FLAVOR="${RUST_FLAVOR:-cpu}"
      command="${1:-}"
      # shellcheck disable=SC2086  # a list of words
      set -- ${RECKONER_JAVA_OPTS:-} -cp "$here/classes:$here/lib/*" dev.reckoner.cli.BundledMain "$@"
      # One analysis is a matter of seconds, most of which would go into compilation.
      if [ "$command" = analyze ]; then
        if [ "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 4)" -lt 4 ]; then
          set -- -XX:CICompilerCount=3 "$@"
        fi
        set -- "@$here/jvm/analyze.args" "-XX:CompilerDirectivesFile=$here/jvm/kernels.json" "$@"
      fi
      exec "$here/runtime/bin/java" %s \\
        -Dslf4j.internal.verbosity=ERROR "$@"
      """
          .formatted(JVM_ARGS);

  /** Of this program's own resources, what the commands read. */
  private static final Pattern OWN =
      Pattern.compile("(dev/reckoner|kernels|packs|recipes|schemas|META-INF/maven)/.*");

  /** How the JVM runs one analysis. */
  private static final List<String> OF_JVM = List.of("analyze.args", "kernels.json");

  private static final Pattern MODEL = Pattern.compile("model/.*");
  private static final Pattern ALL = Pattern.compile(".*");

  /**
   * A library by a class of it, and which of its entries are packed: of Kafka's client only what
   * the CloudEvents binding names.
   */
  private record Library(Class<?> of, Pattern entries) {
    Library(Class<?> of) {
      this(of, ALL);
    }
  }

  private static final List<Library> LIBRARIES =
      List.of(
          new Library(CommandLine.class),
          new Library(ProgressBar.class),
          new Library(Terminal.class),
          new Library(JsonProperty.class),
          new Library(JsonFactory.class),
          new Library(ObjectMapper.class),
          new Library(YAMLFactory.class),
          new Library(JavaTimeModule.class),
          new Library(Yaml.class),
          new Library(DigestUtils.class),
          new Library(JsonSchema.class),
          new Library(ITU.class),
          new Library(Logger.class),
          new Library(org.jboss.logging.Logger.class),
          new Library(Utils.class),
          new Library(Gson.class),
          new Library(
              HuggingFaceTokenizer.class,
              // Native code for this kind of machine alone.
              Pattern.compile(
                  "(?!native/lib/.*/).*|native/lib/(linux|osx|win)-"
                      + System.getProperty("os.arch").replace("amd64", "x86_64")
                      + "/.*")),
          new Library(CloudEvent.class),
          new Library(CloudEventBuilder.class),
          new Library(JsonFormat.class),
          new Library(KafkaMessageFactory.class),
          new Library(
              ConsumerRecord.class,
              Pattern.compile(
                  "META-INF/(LICENSE|NOTICE).*|LICENSE|NOTICE|org/apache/kafka/"
                      + "(common/(header|serialization|utils|errors)/.*|common/[A-Z].*"
                      + "|common/record/TimestampType.*|clients/consumer/ConsumerRecord.*"
                      + "|clients/producer/ProducerRecord.*)")),
          // The picture of the loss needs java.desktop and is left out without it.
          new Library(XYChart.class));

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "The archive (default: ${DEFAULT-VALUE}).",
      defaultValue = "reckoner-bundle.tar.gz")
  Path out;

  @Option(
      names = "--with-model",
      description = "Pack the bundled model too, so that analyze and evaluate need no --model.")
  boolean withModel;

  @Override
  public Integer call() throws IOException {
    Path work = Files.createTempDirectory("bundle");
    try {
      Path runtime = work.resolve("runtime");
      link(runtime);
      Path lib = Files.createDirectory(work.resolve("lib"));
      jar(BundleCommand.class, OWN, lib.resolve("reckoner.jar"));
      for (Library library : LIBRARIES) {
        String name = library.of().getPackageName() + ".jar";
        jar(library.of(), library.entries(), lib.resolve(name));
      }
      Path jvm = Files.createDirectory(work.resolve("jvm"));
      for (String file : OF_JVM) {
        try (InputStream in = BundleCommand.class.getResourceAsStream("/jvm/" + file)) {
          Files.copy(in, jvm.resolve(file));
        }
      }
      Path script = work.resolve("reckoner");
      Files.writeString(script, SCRIPT);
      if (out.toAbsolutePath().getParent() != null) {
        Files.createDirectories(out.toAbsolutePath().getParent());
      }
      Path part = out.resolveSibling(out.getFileName() + ".part");
      archive(part, work);
      Files.move(part, out, StandardCopyOption.REPLACE_EXISTING);
      System.out.printf("%s: %.1f MB%n", out, Files.size(out) / 1e6);
    } finally {
      delete(work);
    }
    return 0;
  }

  private static void delete(Path directory) throws IOException {
    try (Stream<Path> walk = Files.walk(directory)) {
      for (Path path : walk.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  private static void link(Path runtime) {
    ToolProvider jlink =
        ToolProvider.findFirst("jlink")
            .orElseThrow(
                () -> new UserException("this Java has no jlink: set JAVA_HOME to a whole JDK 25"));
    StringWriter said = new StringWriter();
    PrintWriter writer = new PrintWriter(said, true);
    int code =
        jlink.run(
            writer,
            writer,
            "--add-modules",
            MODULES,
            "--strip-debug",
            "--no-header-files",
            "--no-man-pages",
            "--compress",
            "zip-9",
            "--output",
            runtime.toString());
    if (code != 0) {
      throw new UserException("jlink failed: " + said.toString().strip());
    }
  }

  /** The jars, or directories, that the packed commands use as they are. */
  static List<Path> jars() {
    return Stream.concat(Stream.of(BundleCommand.class), LIBRARIES.stream().map(Library::of))
        .map(BundleCommand::source)
        .distinct()
        .toList();
  }

  /** Entries of the jar or directory that {@code of} was loaded from, by name. */
  private static void jar(Class<?> of, Pattern entries, Path to) throws IOException {
    Path source = source(of);
    boolean directory = Files.isDirectory(source);
    try (FileSystem opened = directory ? null : FileSystems.newFileSystem(source);
        ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(to))) {
      // Stored, not deflated: the archive compresses better across jars than each for itself.
      zip.setMethod(ZipOutputStream.DEFLATED);
      zip.setLevel(Deflater.NO_COMPRESSION);
      Path root = directory ? source : opened.getPath("/");
      for (Map.Entry<String, Path> file : files(root, entries).entrySet()) {
        ZipEntry entry = new ZipEntry(file.getKey());
        entry.setTimeLocal(LocalDateTime.of(2026, 1, 1, 0, 0));
        zip.putNextEntry(entry);
        Files.copy(file.getValue(), zip);
        zip.closeEntry();
      }
    }
  }

  private static Path source(Class<?> of) {
    try {
      return Path.of(of.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new UserException("cannot tell which library %s is of".formatted(of.getName()), e);
    }
  }

  private static Map<String, Path> files(Path root, Pattern names) throws IOException {
    Map<String, Path> found = new LinkedHashMap<>();
    try (Stream<Path> walk = Files.walk(root)) {
      for (Path file : walk.filter(Files::isRegularFile).sorted().toList()) {
        String name = root.relativize(file).toString().replace('\\', '/');
        if (names.matcher(name).matches()) {
          found.put(name, file);
        }
      }
    }
    return found;
  }

  private void archive(Path to, Path work) throws IOException {
    GzipParameters best = new GzipParameters();
    best.setCompressionLevel(Deflater.BEST_COMPRESSION);
    try (OutputStream raw = new BufferedOutputStream(Files.newOutputStream(to));
        GzipCompressorOutputStream gzip = new GzipCompressorOutputStream(raw, best);
        TarArchiveOutputStream tar =
            new TarArchiveOutputStream(gzip, StandardCharsets.UTF_8.name())) {
      tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
      add(tar, ROOT, files(work, ALL));
      if (withModel) {
        Path own = source(BundleCommand.class);
        boolean directory = Files.isDirectory(own);
        try (FileSystem opened = directory ? null : FileSystems.newFileSystem(own)) {
          Map<String, Path> model = files(directory ? own : opened.getPath("/"), MODEL);
          if (model.isEmpty()) {
            throw new UserException("this build has no bundled model: leave --with-model out");
          }
          add(tar, ROOT + "classes/", model);
        }
      }
    }
  }

  private static void add(TarArchiveOutputStream tar, String under, Map<String, Path> files)
      throws IOException {
    for (Map.Entry<String, Path> named : files.entrySet()) {
      String name = named.getKey();
      Path file = named.getValue();
      TarArchiveEntry entry = new TarArchiveEntry(under + name);
      entry.setSize(Files.size(file));
      boolean runs = name.equals("reckoner") || name.matches("runtime/(bin/.*|lib/jspawnhelper)");
      entry.setMode(runs ? 0755 : 0644);
      entry.setModTime(0);
      tar.putArchiveEntry(entry);
      Files.copy(file, tar);
      tar.closeArchiveEntry();
    }
  }
}
