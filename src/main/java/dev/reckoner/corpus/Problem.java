package dev.reckoner.corpus;

import dev.reckoner.reasoning.Evidence;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * A question on evidence, with its answer where the data set gives one.
 *
 * @param id unique within its data set, for example {@code V/2008/page_17.pdf-1}
 * @param group what a split must not cut: the page of a filing, or a synthetic company. FinQA and
 *     ConvFinQA share their pages and so their groups
 * @param origin the data set: {@code finqa}, {@code tatqa}, {@code convfinqa} or {@code
 *     synthetic/FAMILY}
 * @param evidence what a chain may cite
 * @param gold the answer, or {@code null}
 * @param program how the annotators derived it, or {@code null}
 * @param support where they found what it needs
 */
public record Problem(
    String id,
    String group,
    String origin,
    Evidence evidence,
    Gold gold,
    Program program,
    Support support) {

  /**
   * The same question on no more than the gold evidence: the header and the supporting rows of the
   * table, and the supporting sentences. The problem itself where the support is unknown.
   */
  public Problem focused() {
    return support.known() ? keeping(support.allRows(), new TreeSet<>(support.sentences())) : this;
  }

  /**
   * The same question on a part of its evidence.
   *
   * @param rows rows of the first table to keep, beside its leading header rows
   * @param sentences sentences to keep
   */
  public Problem keeping(TreeSet<Integer> rows, TreeSet<Integer> sentences) {
    List<Evidence.Table> tables = new ArrayList<>();
    TreeSet<Integer> kept = new TreeSet<>();
    if (!evidence.tables().isEmpty() && !rows.isEmpty()) {
      Evidence.Table table = evidence.tables().getFirst();
      for (int r = 0; r < headerRows(table); r++) {
        kept.add(r);
      }
      rows.stream().filter(r -> r < table.rows().size()).forEach(kept::add);
      tables.add(
          new Evidence.Table(
              table.caption(), kept.stream().map(r -> table.rows().get(r)).toList()));
    }
    TreeSet<Integer> said = new TreeSet<>();
    sentences.stream().filter(s -> s < evidence.sentences().size()).forEach(said::add);
    Evidence part =
        new Evidence(
            evidence.title(),
            evidence.question(),
            tables,
            said.stream().map(s -> evidence.sentences().get(s)).toList());
    return new Problem(
        id,
        group,
        origin,
        part,
        gold,
        program,
        support.renumbered(List.copyOf(kept), List.copyOf(said)));
  }

  /** Rows before the first whose label is not empty; at least one. */
  private static int headerRows(Evidence.Table table) {
    int rows = 1;
    while (rows < Math.min(4, table.rows().size())
        && (table.rows().get(rows).isEmpty() || table.rows().get(rows).getFirst().isBlank())) {
      rows++;
    }
    return rows;
  }
}
