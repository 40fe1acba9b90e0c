package dev.reckoner.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.agent.DomainPack;
import dev.reckoner.agent.FinancialEvent;
import dev.reckoner.events.OutgoingEvent;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EventFileTest {

  private static final String FINQA =
      """
      {"id":"V/2008/page_17.pdf-1","pre_text":["visa is large ."],"post_text":["."],\
      "table":[["company","volume"],["visa","$ 2457"]],\
      "qa":{"question":"what is the volume of visa?","answer":"2457","program":"","gold_inds":{}}}""";
  private static final String CLOUD_EVENT =
      """
      {"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"Société","data":{}}""";

  private final ObjectMapper json = new ObjectMapper();

  @TempDir Path directory;

  @Test
  void aFilingPageBecomesAnEventThatItsPackAccepts() throws IOException {
    OutgoingEvent event = EventFile.read(file("finqa.jsonl", FINQA), 10).getFirst();

    JsonNode envelope = json.readTree(event.value());
    assertThat(envelope.path("id").asText()).isEqualTo("V/2008/page_17.pdf-1");
    assertThat(new String(event.key(), StandardCharsets.UTF_8)).isEqualTo("V");
    FinancialEvent financial =
        new FinancialEvent(
            envelope.path("id").asText(),
            envelope.path("source").asText(),
            envelope.path("type").asText(),
            envelope.path("subject").asText(),
            null,
            envelope.path("data"));
    DomainPack pack = DomainPack.load("finance");
    assertThat(pack.validate(financial)).isEmpty();
    assertThat(pack.evidence(financial).question()).isEqualTo("what is the volume of visa?");
    assertThat(pack.evidence(financial).tables().getFirst().rows())
        .contains(List.of("visa", "$ 2457"));
  }

  @Test
  void theSamePageIsTheSameEvent() throws IOException {
    Path file = file("finqa.jsonl", FINQA);
    assertThat(EventFile.read(file, 10).getFirst().value())
        .isEqualTo(EventFile.read(file, 10).getFirst().value());
  }

  @Test
  void anArrayAsDistributedAndAGzippedFileAreRead() throws IOException {
    assertThat(EventFile.read(file("dev.json", "[" + FINQA + "]"), 10)).hasSize(1);

    Path gzip = directory.resolve("events.bin");
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(gzip))) {
      out.write((CLOUD_EVENT + "\n" + FINQA).getBytes(StandardCharsets.UTF_8));
    }
    assertThat(EventFile.read(gzip, 10)).hasSize(2);
  }

  @Test
  void aCloudEventIsPublishedByteForByteUnderItsSubject() throws IOException {
    OutgoingEvent event = EventFile.read(file("events.jsonl", CLOUD_EVENT), 10).getFirst();
    assertThat(new String(event.value(), StandardCharsets.UTF_8)).isEqualTo(CLOUD_EVENT);
    assertThat(new String(event.key(), StandardCharsets.UTF_8)).isEqualTo("Société");
  }

  @Test
  void aLineThatCanNotBeReadIsPublishedAsItIs() throws IOException {
    Path file = directory.resolve("mixed.jsonl");
    byte[] rubbish = {'n', 'o', (byte) 0xC3, (byte) 0x28};
    try (OutputStream out = Files.newOutputStream(file)) {
      out.write((CLOUD_EVENT + "\n").getBytes(StandardCharsets.UTF_8));
      out.write(rubbish);
      out.write(("\n\n" + FINQA + "\n").getBytes(StandardCharsets.UTF_8));
    }
    List<OutgoingEvent> events = EventFile.read(file, 10);
    assertThat(events).hasSize(3);
    assertThat(events.get(1).value()).isEqualTo(rubbish);
    assertThat(events.get(1).key()).isNull();
  }

  @Test
  void theLimitCountsEvents() throws IOException {
    String lines = (FINQA + "\n").repeat(5);
    assertThat(EventFile.read(file("finqa.jsonl", lines), 3)).hasSize(3);
  }

  @Test
  void aMissingOrEmptyFileIsToldInOneLine() throws IOException {
    assertThatThrownBy(() -> EventFile.read(directory.resolve("none"), 1))
        .isInstanceOf(UserException.class)
        .hasMessageContaining("there is no file");
    Path empty = file("empty", "\n");
    assertThatThrownBy(() -> EventFile.read(empty, 1))
        .isInstanceOf(UserException.class)
        .hasMessageContaining("no events");
  }

  private Path file(String name, String text) throws IOException {
    return Files.writeString(directory.resolve(name), text);
  }
}
