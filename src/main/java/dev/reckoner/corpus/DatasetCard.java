package dev.reckoner.corpus;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.commons.codec.digest.DigestUtils;
import org.apache.commons.codec.digest.MessageDigestAlgorithms;

/** What a data set is made of, as Markdown: counts, drops, sources, licences, hashes. */
public final class DatasetCard {

  private static final String SOURCES =
      """
      ## Sources and licences

      | origin | source | licence |
      |---|---|---|
      | finqa | FinQA, Chen et al., EMNLP 2021, github.com/czyssrs/FinQA | MIT, (c) 2021 Zhiyu Chen |
      | convfinqa | ConvFinQA, Chen et al., EMNLP 2022, github.com/czyssrs/ConvFinQA | MIT, (c) 2022 Zhiyu Chen |
      | tatqa | TAT-QA, Zhu et al., ACL 2021, github.com/NExTplusplus/TAT-QA | data CC BY 4.0 |
      | …/conversation | conversations of this project's wordings (packs/finance/conversations.yaml) about what chains of that origin cite | as the origin's |
      | page | questions of this project's families on tables of the three above | as the table's source |
      | synthetic | this project's generator (packs/finance/synthetic.yaml, questions.yaml) | Apache-2.0 |
      """;

  private DatasetCard() {}

  /**
   * The card of a data set.
   *
   * @param files the files that were written
   * @param counts by source file, how many chains were kept and dropped for which reason
   * @param notes what else a reader must know, one line each
   */
  public static String of(
      String name,
      List<Lesson> lessons,
      List<Path> files,
      Map<String, Map<String, Integer>> counts,
      List<String> notes)
      throws IOException {
    StringBuilder card = new StringBuilder("# Data set " + name + "\n\n");
    notes.forEach(note -> card.append("- ").append(note).append('\n'));
    card.append("\n## Lessons\n\n| origin | lessons | pages or companies |\n|---|---:|---:|\n");
    lessons.stream()
        .collect(
            Collectors.groupingBy(
                l -> l.origin().replaceFirst("/(?!conversation).*", ""),
                TreeMap::new,
                Collectors.toList()))
        .forEach(
            (origin, members) ->
                card.append(
                    "| %s | %d | %d |%n"
                        .formatted(
                            origin,
                            members.size(),
                            members.stream().map(Lesson::group).distinct().count())));
    card.append(
        "\n## Chains made of gold programs\n\n| file | outcome | problems |\n|---|---|---:|\n");
    counts.forEach(
        (file, outcomes) ->
            new TreeMap<>(outcomes)
                .forEach(
                    (outcome, n) -> card.append("| %s | %s | %d |%n".formatted(file, outcome, n))));
    card.append('\n')
        .append(SOURCES)
        .append("\n## Files\n\n| file | bytes | SHA-256 |\n|---|---:|---|\n");
    for (Path file : files) {
      card.append(
          "| %s | %d | `%s` |%n"
              .formatted(
                  file.getFileName(),
                  Files.size(file),
                  new DigestUtils(MessageDigestAlgorithms.SHA_256).digestAsHex(file)));
    }
    return card.toString();
  }
}
