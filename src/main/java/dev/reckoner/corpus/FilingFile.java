package dev.reckoner.corpus;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.zip.GZIPInputStream;

/**
 * Reads files of FinQA, TAT-QA and ConvFinQA as their authors distribute them (one JSON array), and
 * as JSON Lines, plain or gzip. Each record's format is known by its fields.
 */
public final class FilingFile {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<FilingFormat> FORMATS =
      List.of(new ConvFinQaFormat(), new FinQaFormat(), new TatQaFormat());

  private FilingFile() {}

  /**
   * All problems of a file, in its order. A record with several questions gives several problems.
   *
   * @throws CorpusException if the file is no such data set; names file and line
   */
  public static List<Problem> read(Path file) throws IOException {
    List<Problem> problems = new ArrayList<>();
    read(file, problems::add);
    return problems;
  }

  /** As {@link #read(Path)}, one problem at a time. */
  public static void read(Path file, Consumer<Problem> sink) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new CorpusException(file + ": no such file");
    }
    try (InputStream in = open(file);
        JsonParser parser = new JsonFactory(JSON).createParser(in)) {
      int record = 0;
      boolean array = false;
      for (JsonToken token = next(file, parser); token != null; token = next(file, parser)) {
        if (token == JsonToken.START_ARRAY && record == 0 && !array) {
          array = true;
        } else if (token == JsonToken.START_OBJECT) {
          int line = parser.currentTokenLocation().getLineNr();
          String where = file + ":" + line + " (record " + ++record + "): ";
          convert(where, record, tree(file, parser), sink);
        } else if (token != JsonToken.END_ARRAY) {
          int line = parser.currentTokenLocation().getLineNr();
          throw new CorpusException(
              file + ":" + line + ": expected a JSON object for each record, found " + token);
        }
      }
      if (record == 0) {
        throw new CorpusException(file + ": holds no record");
      }
    }
  }

  /** Whether a record has the fields of one of the known data sets. */
  public static boolean isFilingRecord(JsonNode record) {
    return FORMATS.stream().anyMatch(format -> format.accepts(record));
  }

  /**
   * The problems of one record.
   *
   * @param number of the record in its file, for records without an id
   * @throws CorpusException if the record is of no known data set, or lacks what its format needs
   */
  public static List<Problem> problems(JsonNode record, int number) throws CorpusException {
    List<Problem> problems = new ArrayList<>();
    convert("record " + number + ": ", number, record, problems::add);
    return problems;
  }

  private static void convert(String where, int number, JsonNode record, Consumer<Problem> sink)
      throws CorpusException {
    FilingFormat format =
        FORMATS.stream()
            .filter(candidate -> candidate.accepts(record))
            .findFirst()
            .orElseThrow(
                () ->
                    new CorpusException(
                        where
                            + "not a FinQA, TAT-QA or ConvFinQA record: its fields are "
                            + String.join(", ", (Iterable<String>) record::fieldNames)));
    try {
      format.problems(record, number).forEach(sink);
    } catch (IllegalArgumentException e) {
      throw new CorpusException(where + e.getMessage(), e);
    }
  }

  private static JsonToken next(Path file, JsonParser parser) throws IOException {
    try {
      return parser.nextToken();
    } catch (JsonProcessingException e) {
      throw malformed(file, e);
    }
  }

  private static JsonNode tree(Path file, JsonParser parser) throws IOException {
    try {
      return parser.readValueAsTree();
    } catch (JsonProcessingException e) {
      throw malformed(file, e);
    }
  }

  private static CorpusException malformed(Path file, JsonProcessingException e) {
    int line = e.getLocation() == null ? 1 : e.getLocation().getLineNr();
    return new CorpusException(
        file + ":" + line + ": not valid JSON: " + e.getOriginalMessage(), e);
  }

  /** Opens a file, through gzip if its first two bytes say so. */
  public static InputStream open(Path file) throws IOException {
    BufferedInputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
    in.mark(2);
    boolean gzip = in.read() == 0x1f && in.read() == 0x8b;
    in.reset();
    return gzip ? new BufferedInputStream(new GZIPInputStream(in, 1 << 16), 1 << 16) : in;
  }
}
