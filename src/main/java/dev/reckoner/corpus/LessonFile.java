package dev.reckoner.corpus;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPOutputStream;

/**
 * Lessons as JSON Lines: {@code {"id", "group", "origin", "messages": [{"role": "system",
 * "content"}, user, assistant, …]}}, the form that chat trainers read. Gzip where the name ends in
 * {@code .gz}; reading knows gzip by its first bytes.
 */
public final class LessonFile {

  private static final ObjectMapper JSON = new ObjectMapper();

  private LessonFile() {}

  /** Writes a file; its folder is created if missing. */
  public static void write(Path file, List<Lesson> lessons) throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    boolean gzip = file.getFileName().toString().endsWith(".gz");
    try (OutputStream out = Files.newOutputStream(file);
        OutputStream packed = gzip ? new GZIPOutputStream(out, 1 << 16) : out;
        BufferedWriter writer =
            new BufferedWriter(new OutputStreamWriter(packed, StandardCharsets.UTF_8))) {
      for (Lesson lesson : lessons) {
        ObjectNode line = JSON.createObjectNode();
        line.put("id", lesson.id()).put("group", lesson.group()).put("origin", lesson.origin());
        ArrayNode messages = line.putArray("messages");
        message(messages, "system", lesson.system());
        message(messages, "user", lesson.user());
        message(messages, "assistant", lesson.assistant());
        for (Lesson.Turn turn : lesson.further()) {
          message(messages, "user", turn.user());
          message(messages, "assistant", turn.assistant());
        }
        writer.write(JSON.writeValueAsString(line));
        writer.newLine();
      }
    }
  }

  /**
   * Reads a file.
   *
   * @throws CorpusException if a line is no lesson; names file and line
   */
  public static List<Lesson> read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new CorpusException(file + ": no such file");
    }
    List<Lesson> lessons = new ArrayList<>();
    try (BufferedReader reader =
        new BufferedReader(new InputStreamReader(FilingFile.open(file), StandardCharsets.UTF_8))) {
      int number = 0;
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        number++;
        if (!line.isBlank()) {
          lessons.add(lesson(file + ":" + number, line));
        }
      }
    }
    return lessons;
  }

  private static void message(ArrayNode messages, String role, String content) {
    messages.addObject().put("role", role).put("content", content);
  }

  private static Lesson lesson(String where, String line) throws CorpusException {
    try {
      JsonNode node = JSON.readTree(line);
      String system = "";
      List<String> asked = new ArrayList<>();
      List<String> answered = new ArrayList<>();
      for (JsonNode message : node.path("messages")) {
        String content = message.path("content").asText();
        switch (message.path("role").asText()) {
          case "system" -> system = content;
          case "user" -> asked.add(content);
          case "assistant" -> answered.add(content);
          default -> throw new CorpusException(where + ": a role is not system, user or assistant");
        }
      }
      if (asked.isEmpty() || asked.size() != answered.size()) {
        throw new CorpusException(where + ": needs a user and an assistant message");
      }
      List<Lesson.Turn> further = new ArrayList<>();
      for (int t = 1; t < asked.size(); t++) {
        further.add(new Lesson.Turn(asked.get(t), answered.get(t)));
      }
      return new Lesson(
          node.path("id").asText(where),
          node.path("group").asText(where),
          node.path("origin").asText(""),
          system,
          asked.getFirst(),
          answered.getFirst(),
          further);
    } catch (JsonProcessingException e) {
      throw new CorpusException(where + ": not valid JSON: " + e.getOriginalMessage(), e);
    }
  }
}
