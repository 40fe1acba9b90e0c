package dev.reckoner.embedded;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.server.common.MetadataVersion;

/**
 * One KRaft node, broker and controller in one, with its log in a directory.
 *
 * <p>The quorum is given statically, so that the controller's port may differ from start to start;
 * the cluster id and the node's directory id stay those of the first start.
 */
public final class EmbeddedKafka implements AutoCloseable {

  private static final int NODE = 1;

  private final KafkaRaftServer server;
  private final int port;

  private EmbeddedKafka(KafkaRaftServer server, int port) {
    this.server = server;
    this.port = port;
  }

  /**
   * Starts the node; returns when it serves clients.
   *
   * @param directory its data; formatted on first use
   * @param configuredPort the client port, or 0 for the last one or any
   * @throws EmbeddedException if it does not start
   */
  public static EmbeddedKafka start(Path directory, int configuredPort) {
    int port = Ports.choose(configuredPort, directory.resolve("port"), "Kafka broker");
    Path log = directory.resolve("log");
    KafkaRaftServer server = null;
    try {
      if (!Files.exists(log.resolve("meta.properties"))) {
        format(log);
      }
      server = new KafkaRaftServer(new KafkaConfig(config(log, port, Ports.any())), Time.SYSTEM);
      server.startup();
      return new EmbeddedKafka(server, port);
    } catch (EmbeddedException e) {
      throw e;
    } catch (Exception e) {
      if (server != null) {
        server.shutdown();
      }
      throw new EmbeddedException(
          "the embedded Kafka broker in %s did not start: %s".formatted(directory, cause(e)), e);
    }
  }

  private static String cause(Throwable e) {
    Throwable root = e;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage();
  }

  private static void format(Path log) throws Exception {
    Files.createDirectories(log);
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    new Formatter()
        .setPrintStream(new PrintStream(said, true, StandardCharsets.UTF_8))
        .setNodeId(NODE)
        .setClusterId(Uuid.randomUuid().toString())
        .setDirectories(List.of(log.toString()))
        .setReleaseVersion(MetadataVersion.latestProduction())
        .setControllerListenerName("CONTROLLER")
        .setMetadataLogDirectory(log.toString())
        .run();
  }

  private static Map<String, Object> config(Path log, int port, int controllerPort) {
    Map<String, Object> config = new HashMap<>();
    config.put("process.roles", "broker,controller");
    config.put("node.id", NODE);
    config.put("controller.quorum.voters", NODE + "@127.0.0.1:" + controllerPort);
    config.put(
        "listeners",
        "PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d".formatted(port, controllerPort));
    config.put("advertised.listeners", "PLAINTEXT://127.0.0.1:" + port);
    config.put("controller.listener.names", "CONTROLLER");
    config.put("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
    config.put("inter.broker.listener.name", "PLAINTEXT");
    config.put("log.dirs", log.toString());
    // One node: every internal topic has one replica and few partitions, which also starts faster.
    config.put("offsets.topic.replication.factor", "1");
    config.put("offsets.topic.num.partitions", "4");
    config.put("transaction.state.log.replication.factor", "1");
    config.put("transaction.state.log.min.isr", "1");
    config.put("transaction.state.log.num.partitions", "4");
    config.put("share.coordinator.state.topic.replication.factor", "1");
    config.put("share.coordinator.state.topic.min.isr", "1");
    config.put("share.coordinator.state.topic.num.partitions", "1");
    config.put("group.initial.rebalance.delay.ms", "0");
    config.put("auto.create.topics.enable", "false");
    // A killed predecessor counts as alive until its session ends; the restart waits for that.
    config.put("broker.session.timeout.ms", "6000");
    config.put("broker.heartbeat.interval.ms", "1000");
    config.put("num.network.threads", "2");
    config.put("num.io.threads", "2");
    config.put("background.threads", "2");
    config.put("log.cleaner.dedupe.buffer.size", String.valueOf(2L << 20));
    config.put("log.segment.bytes", String.valueOf(64 << 20));
    config.put("log.retention.ms", "-1");
    return config;
  }

  /** The bootstrap address, for example {@code 127.0.0.1:41234}. */
  public String bootstrapServers() {
    return "127.0.0.1:" + port;
  }

  /** Stops the node and waits for it. */
  @Override
  public void close() {
    server.shutdown();
    server.awaitShutdown();
  }
}
