package dev.reckoner.djl;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.util.Ec2Utils;
import ai.djl.util.Utils;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.inference.BundledModel;
import java.io.IOException;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A library that we use reports its use to its makers unless it is told not to. */
class TelemetryTest {

  private static final String OPT_OUT = "OPT_OUT_TRACKING";

  @TempDir static Path cache;

  /** Whom anybody in this process wants to talk to. */
  private static final class Asked extends ProxySelector {
    private final List<URI> uris = new CopyOnWriteArrayList<>();

    @Override
    public List<Proxy> select(URI uri) {
      uris.add(uri);
      return List.of(Proxy.NO_PROXY);
    }

    @Override
    public void connectFailed(URI uri, SocketAddress address, IOException e) {
      // it is enough to have asked
    }
  }

  @Test
  void aTokenizerTellsNobodyOfItsUse() {
    quietly(
        () -> {
          try (GemmaTokenizer tokenizer = GemmaTokenizer.read(BundledModel.directory(cache))) {
            assertThat(tokenizer.encode("revenue", false)).isNotEmpty();
          }
          Ec2Utils.callHome("Huggingface");
        });
  }

  /** An embedder may come to DJL by an engine first. */
  @Test
  void anEngineTellsNobodyOfItsUse() {
    System.clearProperty(OPT_OUT);
    quietly(
        () -> {
          assertThat(new ReckonerEngineProvider().getEngineName()).isEqualTo(ReckonerEngine.NAME);
          Ec2Utils.callHome(ReckonerEngine.NAME);
        });
  }

  private static void quietly(Runnable use) {
    ProxySelector before = ProxySelector.getDefault();
    Asked asked = new Asked();
    ProxySelector.setDefault(asked);
    try {
      use.run();
    } finally {
      ProxySelector.setDefault(before);
    }
    assertThat(asked.uris).noneMatch(uri -> uri.toString().contains("169.254.169.254"));
    assertThat(Utils.getEnvOrSystemProperty(OPT_OUT)).isEqualTo("true");
  }
}
