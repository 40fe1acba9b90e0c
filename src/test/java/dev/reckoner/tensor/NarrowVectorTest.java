package dev.reckoner.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.reckoner.tensor.cpu.CpuBackend;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a JVM says that cannot run the kernels as they are meant. */
class NarrowVectorTest {

  /** Opens a backend as a program would. */
  static final class Program {
    public static void main(String... args) {
      try (Backend backend = CpuBackend.open(1)) {
        System.out.println(backend.description());
      } catch (IllegalStateException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  private static String output(String... options) throws Exception {
    List<String> command =
        new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString()));
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(Program.class.getName());
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(text).isZero();
    return text;
  }

  @Test
  void vectorsOf128BitsAreSaidInOneSentence() throws Exception {
    assumeTrue(System.getProperty("os.arch").equals("amd64"), "UseAVX is an option of x86");
    assertThat(output("--add-modules", "jdk.incubator.vector", "-XX:UseAVX=0"))
        .contains("Java's vectors have only 128 bits here, the kernels are written for 256");
  }

  @Test
  void vectorsOf256BitsAreEnough() throws Exception {
    assumeTrue(System.getProperty("os.arch").equals("amd64"), "UseAVX is an option of x86");
    assertThat(output("--add-modules", "jdk.incubator.vector", "-XX:UseAVX=2"))
        .contains("256-bit vectors")
        .doesNotContain("slower");
  }

  @Test
  void aMissingModuleIsSaidInOneSentence() throws Exception {
    assertThat(output())
        .contains("the Vector API is missing: start Java with --add-modules jdk.incubator.vector")
        .doesNotContain("Exception");
  }
}
