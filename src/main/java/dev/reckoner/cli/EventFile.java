package dev.reckoner.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.corpus.CorpusException;
import dev.reckoner.corpus.FilingFile;
import dev.reckoner.corpus.Problem;
import dev.reckoner.events.OutgoingEvent;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A file of events, plain or gzip: CloudEvents as JSON Lines, or FinQA, TAT-QA and ConvFinQA as
 * distributed. Which it is, each record says by its fields.
 *
 * <p>A line that can not be read becomes a record as it is: to refuse it with a reason is the
 * consumer's business.
 */
final class EventFile {

  private static final ObjectMapper JSON = new ObjectMapper();

  private EventFile() {}

  /**
   * The events of a file, in its order.
   *
   * @param limit how many at most
   * @throws UserException if there is no such file, or it is neither
   */
  static List<OutgoingEvent> read(Path file, int limit) {
    try (BufferedReader reader = reader(FilingFile.open(existing(file)))) {
      reader.mark(1 << 16);
      int first = reader.read();
      while (first != -1 && Character.isWhitespace(first)) {
        first = reader.read();
      }
      if (first == '[') {
        return array(file, limit);
      }
      reader.reset();
      List<OutgoingEvent> events = lines(reader, limit);
      if (events.isEmpty()) {
        throw new UserException(file + " has no events in it");
      }
      return events;
    } catch (IOException e) {
      throw new UserException("%s can not be read: %s".formatted(file, e.getMessage()), e);
    }
  }

  /** The file itself; there has to be one. */
  static Path existing(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new UserException("there is no file " + file);
    }
    return file;
  }

  /** The events of JSON Lines. */
  static List<OutgoingEvent> read(InputStream in, int limit) throws IOException {
    return lines(reader(in), limit);
  }

  private static BufferedReader reader(InputStream in) {
    // Latin-1 keeps every byte: a line that is no UTF-8 is published as it is.
    return new BufferedReader(new InputStreamReader(in, StandardCharsets.ISO_8859_1), 1 << 16);
  }

  private static List<OutgoingEvent> array(Path file, int limit) throws IOException {
    List<OutgoingEvent> events = new ArrayList<>();
    for (Problem problem : FilingFile.read(file)) {
      if (events.size() == limit) {
        break;
      }
      events.add(FilingEvent.of(problem));
    }
    return events;
  }

  private static List<OutgoingEvent> lines(BufferedReader reader, int limit) throws IOException {
    List<OutgoingEvent> events = new ArrayList<>();
    int number = 0;
    for (String line = reader.readLine(); line != null; line = reader.readLine()) {
      number++;
      if (!line.isBlank()) {
        for (OutgoingEvent event : line(line.getBytes(StandardCharsets.ISO_8859_1), number)) {
          if (events.size() == limit) {
            return events;
          }
          events.add(event);
        }
      }
    }
    return events;
  }

  private static List<OutgoingEvent> line(byte[] bytes, int number) throws IOException {
    JsonNode record;
    try {
      record = JSON.readTree(bytes);
    } catch (JsonProcessingException e) {
      return List.of(new OutgoingEvent(null, bytes));
    }
    if (FilingFile.isFilingRecord(record)) {
      try {
        return FilingFile.problems(record, number).stream().map(FilingEvent::of).toList();
      } catch (CorpusException e) {
        return List.of(new OutgoingEvent(null, bytes));
      }
    }
    String subject = record.path("subject").asText("");
    byte[] key = subject.isEmpty() ? null : subject.getBytes(StandardCharsets.UTF_8);
    return List.of(new OutgoingEvent(key, bytes));
  }
}
