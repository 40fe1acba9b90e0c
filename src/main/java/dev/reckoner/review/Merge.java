package dev.reckoner.review;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.reckoner.reasoning.Step;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

/**
 * Two versions of one chain beside each other, with what is taken from each unless somebody says
 * otherwise: a step that only one of them changed comes from that one. Where both changed it, it
 * comes from the right one and counts as a conflict.
 *
 * @param version of the analysis that this is about; to be sent with what comes of it
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Merge(Side left, Side right, List<Row> rows, int version) {

  /** Which version a step is taken from. */
  public enum Pick {
    LEFT,
    RIGHT
  }

  /**
   * One of the two.
   *
   * @param who its reviewer
   * @param decision its id; {@code null} if it is not stored
   * @param chain the chain as it would stand: the corrected one, else the original
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Side(
      String who,
      UUID decision,
      Decision.Kind kind,
      Integer firstWrongStep,
      ReasonTag reasonTag,
      String note,
      Instant decidedAt,
      List<String> chain) {

    static Side of(Decision d, List<String> original) {
      return new Side(
          d.reviewer(),
          d.id(),
          d.kind(),
          d.firstWrongStep(),
          d.reasonTag(),
          d.note(),
          d.decidedAt(),
          d.chain() == null ? original : lines(d.chain()));
    }

    /** In one sentence without its subject: {@code rejected it: Wrong figure, step 2}. */
    public String says() {
      StringBuilder says = new StringBuilder(kind.status()).append(" it");
      if (firstWrongStep != null && kind != Decision.Kind.APPROVE) {
        says.append(", step ").append(firstWrongStep + 1).append(" is wrong");
      }
      if (reasonTag != null) {
        says.append(" (").append(reasonTag.label().toLowerCase(java.util.Locale.ROOT)).append(')');
      }
      return says.toString();
    }

    /** How long ago it was made; empty if it is not stored. */
    public String age() {
      return decidedAt == null ? "" : Ages.ago(decidedAt);
    }
  }

  /**
   * A step of either or both.
   *
   * @param left {@code null} if only the right version has it
   * @param right {@code null} if only the left version has it
   * @param same whether it is the same step; its computed result may differ
   * @param pick which one is taken unless somebody says otherwise
   * @param conflict whether both changed it
   * @param diff from left to right, word by word; empty if it is the same
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Row(
      String left,
      String right,
      boolean same,
      Pick pick,
      boolean conflict,
      List<WordDiff.Piece> diff) {}

  static Merge of(ReviewItem item, Side left, Side right) {
    Set<String> original = new HashSet<>(texts(item));
    List<Row> rows = new ArrayList<>();
    int[] origins = LineAlignment.origins(left.chain(), right.chain());
    int next = 0;
    for (int i = 0; i < origins.length; i++) {
      if (origins[i] >= 0) {
        while (next < origins[i]) {
          rows.add(row(left.chain().get(next++), null, original));
        }
        rows.add(row(left.chain().get(next++), right.chain().get(i), original));
      } else {
        rows.add(row(null, right.chain().get(i), original));
      }
    }
    while (next < left.chain().size()) {
      rows.add(row(left.chain().get(next++), null, original));
    }
    return new Merge(left, right, List.copyOf(rows), item.version());
  }

  /** The original as lines of text. */
  static List<String> texts(ReviewItem item) {
    return item.steps().stream().map(ReviewItem.StoredStep::text).toList();
  }

  static List<String> lines(String chain) {
    return chain.lines().filter(line -> !line.isBlank()).map(String::strip).toList();
  }

  /** How many steps both changed. */
  public long conflicts() {
    return rows.stream().filter(Row::conflict).count();
  }

  /** Whether there is anything to choose between in the chains. */
  public boolean differs() {
    return rows.stream().anyMatch(r -> !r.same());
  }

  private static Row row(String left, String right, Set<String> original) {
    if (left != null && right != null && equivalent(left, right)) {
      return new Row(left, right, true, Pick.RIGHT, false, List.of());
    }
    // A step that is missing on one side was removed there if the original has it.
    boolean leftChanged = left == null ? original.contains(right) : !original.contains(left);
    boolean rightChanged = right == null ? original.contains(left) : !original.contains(right);
    return new Row(
        left,
        right,
        false,
        leftChanged && !rightChanged ? Pick.LEFT : Pick.RIGHT,
        leftChanged && rightChanged,
        WordDiff.between(left == null ? "" : left, right == null ? "" : right));
  }

  /** Whether two lines say the same but for results, which are computed again anyway. */
  private static boolean equivalent(String left, String right) {
    if (left.equals(right)) {
      return true;
    }
    Optional<Step> a = ChainDraft.parse(left);
    Optional<Step> b = ChainDraft.parse(right);
    if (a.isEmpty() || b.isEmpty()) {
      return false;
    }
    if (a.get() instanceof Step.Compute x && b.get() instanceof Step.Compute y) {
      return x.name().equals(y.name()) && x.expression().equals(y.expression());
    }
    return a.get() instanceof Step.Conclude x
        && b.get() instanceof Step.Conclude y
        && x.of() != null
        && x.of().equals(y.of())
        && x.stance() == y.stance()
        && x.flags().equals(y.flags());
  }
}
