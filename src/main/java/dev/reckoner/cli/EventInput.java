package dev.reckoner.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.agent.FinancialEvent;
import dev.reckoner.corpus.FilingFile;
import dev.reckoner.events.Envelope;
import dev.reckoner.events.OutgoingEvent;
import dev.reckoner.events.RejectedException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** One event from a file or standard input, checked as the service checks it. */
final class EventInput {

  private static final int MAX_BYTES = 4 << 20;
  private static final ObjectMapper JSON = new ObjectMapper();

  private EventInput() {}

  /**
   * The first event.
   *
   * @param source a file in any form that {@link EventFile} reads, one CloudEvent over several
   *     lines, or {@code -} for standard input
   * @throws UserException if there is none, saying why
   */
  static FinancialEvent read(String source) {
    try {
      return open(source.equals("-") ? first(System.in) : first(Path.of(source)));
    } catch (IOException e) {
      throw new UserException("%s can not be read: %s".formatted(source, e.getMessage()), e);
    } catch (RejectedException e) {
      throw new UserException("the event can not be analysed: " + e.getMessage(), e);
    }
  }

  private static byte[] first(Path file) throws IOException {
    try (InputStream in = FilingFile.open(EventFile.existing(file))) {
      byte[] whole = in.readNBytes(MAX_BYTES + 1);
      return isOneObject(whole)
          ? first(new ByteArrayInputStream(whole))
          : EventFile.read(file, 1).getFirst().value();
    }
  }

  private static byte[] first(InputStream in) throws IOException {
    byte[] whole = in.readNBytes(MAX_BYTES + 1);
    byte[] line = isOneObject(whole) ? JSON.writeValueAsBytes(JSON.readTree(whole)) : whole;
    List<OutgoingEvent> events = EventFile.read(new ByteArrayInputStream(line), 1);
    if (events.isEmpty()) {
      throw new UserException("there is no event in the input");
    }
    return events.getFirst().value();
  }

  private static boolean isOneObject(byte[] bytes) throws IOException {
    try (var parser = JSON.createParser(bytes)) {
      JsonNode first = parser.readValueAsTree();
      return first != null && first.isObject() && parser.nextToken() == null;
    } catch (JsonProcessingException e) {
      return false;
    }
  }

  private static FinancialEvent open(byte[] value) throws RejectedException {
    return new Envelope(MAX_BYTES, JSON).open(new ConsumerRecord<>("input", 0, 0, null, value));
  }
}
