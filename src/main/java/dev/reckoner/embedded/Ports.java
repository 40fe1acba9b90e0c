package dev.reckoner.embedded;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;

/** Chooses the loopback ports of embedded services. */
final class Ports {

  private Ports() {}

  /**
   * A port to listen on: the configured one, else the one remembered from the last start if it is
   * still free, so that clients find a restarted service again, else any free one. The choice is
   * remembered.
   *
   * @param configured a port, or 0 for any
   * @param memory the file that remembers
   * @param service named in the message
   * @throws EmbeddedException if the configured port is taken
   */
  static int choose(int configured, Path memory, String service) {
    try {
      int port = configured;
      if (port != 0 && !free(port)) {
        throw new EmbeddedException(
            "port %d for the embedded %s is taken; free it or configure another"
                .formatted(port, service));
      }
      if (port == 0 && Files.exists(memory)) {
        int last = parse(Files.readString(memory));
        port = last != 0 && free(last) ? last : 0;
      }
      if (port == 0) {
        port = any();
      }
      Files.createDirectories(memory.getParent());
      Files.writeString(memory, port + "\n");
      return port;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Any free loopback port. */
  static int any() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private static int parse(String text) {
    try {
      int port = Integer.parseInt(text.strip());
      return port > 0 && port < 65536 ? port : 0;
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  private static boolean free(int port) {
    try (ServerSocket socket = new ServerSocket()) {
      socket.setReuseAddress(true);
      socket.bind(new java.net.InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1);
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
