package dev.reckoner.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.corpus.Problem;
import dev.reckoner.events.OutgoingEvent;
import dev.reckoner.reasoning.Evidence;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.jackson.JsonCloudEventData;
import io.cloudevents.jackson.JsonFormat;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A problem of a public data set as the event that a filing service would send. */
final class FilingEvent {

  static final String TYPE = "dev.reckoner.filing.excerpt.v1";

  private static final ObjectMapper JSON = new ObjectMapper();

  private FilingEvent() {}

  /** The event; its id is that of the problem, so that publishing it again is a duplicate. */
  static OutgoingEvent of(Problem problem) {
    String subject = subject(problem);
    byte[] event =
        new JsonFormat()
            .serialize(
                CloudEventBuilder.v1()
                    .withId(problem.id())
                    .withSource(URI.create("/datasets/" + problem.origin()))
                    .withType(TYPE)
                    .withSubject(subject)
                    .withData("application/json", JsonCloudEventData.wrap(data(problem, subject)))
                    .build());
    return new OutgoingEvent(subject.getBytes(StandardCharsets.UTF_8), event);
  }

  /** The issuer: {@code V} of the page {@code V/2008/page_17.pdf}; else the page. */
  private static String subject(Problem problem) {
    String group = problem.group();
    int slash = group.indexOf('/');
    return slash > 0 ? group.substring(0, slash) : group;
  }

  private static ObjectNode data(Problem problem, String issuer) {
    Evidence evidence = problem.evidence();
    ObjectNode data = JSON.createObjectNode();
    data.put("issuer", issuer);
    if (!evidence.title().isBlank()) {
      data.put("document", evidence.title());
    }
    data.put("question", evidence.question());
    ArrayNode tables = data.putArray("tables");
    for (Evidence.Table table : evidence.tables()) {
      ObjectNode node = tables.addObject();
      node.put("caption", table.caption());
      ArrayNode rows = node.putArray("rows");
      for (List<String> row : table.rows()) {
        row.forEach(rows.addArray()::add);
      }
    }
    evidence.sentences().forEach(data.putArray("sentences")::add);
    return data;
  }
}
