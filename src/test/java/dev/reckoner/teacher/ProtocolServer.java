package dev.reckoner.teacher;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;

/** A server of the OpenAI protocol's chat completions that answers as a test says. */
public final class ProtocolServer implements AutoCloseable {

  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * A request.
   *
   * @param page what the last user message shows
   * @param number of the request at this server, from 0
   */
  public record Call(JsonNode body, String authorization, String page, int number, long nanos) {}

  /** An answer; {@code seconds} before it is sent. */
  public record Reply(int status, String body, Map<String, String> headers, double seconds) {

    /** An ordinary answer. */
    public static Reply text(String text) {
      return completion(text, "stop");
    }

    public static Reply completion(String text, String finish) {
      ObjectNode node = JSON.createObjectNode();
      node.put("id", "chatcmpl-1").put("object", "chat.completion").put("created", 1);
      node.put("model", "teacher-1");
      ObjectNode choice = node.putArray("choices").addObject().put("index", 0);
      choice.putObject("message").put("role", "assistant").put("content", text);
      choice.put("finish_reason", finish);
      node.putObject("usage")
          .put("prompt_tokens", 100)
          .put("completion_tokens", 20)
          .put("total_tokens", 120);
      return new Reply(200, node.toString(), Map.of(), 0);
    }

    public static Reply status(int status) {
      return new Reply(status, "{\"error\": {\"message\": \"no\", \"type\": \"x\"}}", Map.of(), 0);
    }

    Reply with(String header, String value) {
      return new Reply(status, body, Map.of(header, value), seconds);
    }

    Reply after(double wait) {
      return new Reply(status, body, headers, wait);
    }
  }

  private final HttpServer server;
  private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
  private final Function<Call, Reply> script;
  private final List<Call> calls = new CopyOnWriteArrayList<>();

  public ProtocolServer(Function<Call, Reply> script) throws IOException {
    this.script = script;
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/v1/chat/completions", this::handle);
    server.setExecutor(executor);
    server.start();
  }

  public String url() {
    return "http://127.0.0.1:" + server.getAddress().getPort() + "/v1";
  }

  public List<Call> calls() {
    return calls;
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      JsonNode body = JSON.readTree(exchange.getRequestBody());
      JsonNode messages = body.path("messages");
      Call call;
      synchronized (calls) {
        call =
            new Call(
                body,
                exchange.getRequestHeaders().getFirst("Authorization"),
                messages.path(messages.size() - 1).path("content").asText(),
                calls.size(),
                System.nanoTime());
        calls.add(call);
      }
      Reply reply = script.apply(call);
      Thread.sleep((long) (1000 * reply.seconds()));
      byte[] bytes = reply.body().getBytes(StandardCharsets.UTF_8);
      reply.headers().forEach(exchange.getResponseHeaders()::set);
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      exchange.sendResponseHeaders(reply.status(), bytes.length);
      exchange.getResponseBody().write(bytes);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    server.stop(0);
    executor.shutdownNow();
  }
}
