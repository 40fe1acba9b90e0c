package dev.reckoner.review;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.review.Merge.Pick;
import dev.reckoner.review.Merge.Row;
import dev.reckoner.review.Merge.Side;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class MergeTest {

  private static final String A = "cite a = 107,412 USD million @ r8c1";
  private static final String B = "cite b = 107,588 USD million @ r6c2";
  private static final String C = "compute c = a - b = -176 USD million";
  private static final String D = "conclude c = -176 USD million";
  private static final List<String> ORIGINAL = List.of(A, B, C, D);

  private static final String B_RIGHT = "cite b = 109,120 USD million @ r8c2";
  private static final String C_RIGHT = "compute c = a - b = -1,708 USD million";
  private static final String D_RIGHT = "conclude c = -1,708 USD million";

  @Test
  void aStepThatOneChangedIsTakenFromThatOne() {
    Merge merge =
        merge(List.of(A, B_RIGHT, C_RIGHT, D_RIGHT), List.of(A, B, "infer a : It fell.", C, D));
    assertThat(merge.rows())
        .extracting(Row::pick)
        .containsExactly(Pick.RIGHT, Pick.LEFT, Pick.RIGHT, Pick.RIGHT, Pick.RIGHT);
    assertThat(merge.conflicts()).isZero();
    // What is computed anyway does not count as a difference.
    assertThat(merge.rows()).extracting(Row::same).containsExactly(true, false, false, true, true);
  }

  @Test
  void aStepThatBothChangedIsAConflict() {
    String other = "cite b = 106,005 USD million @ r8c3";
    Merge merge = merge(List.of(A, B_RIGHT, C, D), List.of(A, other, C, D));
    Row row = merge.rows().get(1);
    assertThat(row.conflict()).isTrue();
    assertThat(row.pick()).isEqualTo(Pick.RIGHT);
    assertThat(row.diff()).extracting(WordDiff.Piece::change).contains("removed", "added", "kept");
  }

  @Test
  void aStepThatOneRemovedStaysRemoved() {
    Merge left = merge(List.of(A, C, D), ORIGINAL);
    assertThat(left.rows()).extracting(Row::left).containsExactly(A, null, C, D);
    assertThat(left.rows().get(1).pick()).isEqualTo(Pick.LEFT);
    Merge right = merge(ORIGINAL, List.of(A, C, D));
    assertThat(right.rows()).extracting(Row::right).containsExactly(A, null, C, D);
    assertThat(right.rows().get(1).pick()).isEqualTo(Pick.RIGHT);
  }

  @Test
  void aStepThatOneAddedStaysAdded() {
    String added = "infer c : It fell.";
    Merge merge = merge(List.of(A, B, C, added, D), ORIGINAL);
    assertThat(merge.rows()).extracting(Row::left).containsExactly(A, B, C, added, D);
    assertThat(merge.rows().get(3).right()).isNull();
    assertThat(merge.rows().get(3).pick()).isEqualTo(Pick.LEFT);
    assertThat(merge.rows().get(3).conflict()).isFalse();
  }

  @Test
  void nothingOfEitherVersionIsLost() {
    List<String> left = List.of(A, B_RIGHT, "infer b : One.", C_RIGHT, D_RIGHT);
    List<String> right = List.of("cite z = 1,532 USD million @ r7c2", A, C, "infer c : Two.", D);
    Merge merge = merge(left, right);
    assertThat(lines(merge.rows().stream().map(Row::left))).isEqualTo(left);
    assertThat(lines(merge.rows().stream().map(Row::right))).isEqualTo(right);
  }

  @Test
  void anApprovalAndARejectionDifferInNoStep() {
    assertThat(merge(ORIGINAL, ORIGINAL).differs()).isFalse();
  }

  private static List<String> lines(Stream<String> column) {
    return column.filter(java.util.Objects::nonNull).toList();
  }

  private static Merge merge(List<String> left, List<String> right) {
    return Merge.of(item(), side("rob", left), side("rita", right));
  }

  private static Side side(String who, List<String> chain) {
    return new Side(who, null, Decision.Kind.CORRECT, null, null, "", null, chain);
  }

  private static ReviewItem item() {
    return new ReviewItem(
        UUID.randomUUID(),
        "/test#1",
        "type",
        "subject",
        "title",
        ReviewFixture.TARGET,
        String.join("\n", ORIGINAL),
        ORIGINAL.stream()
            .map(t -> new ReviewItem.StoredStep("cite", t, "grounded", "", List.of()))
            .toList(),
        "",
        1,
        "corrected",
        false,
        3,
        null,
        Instant.EPOCH,
        List.of());
  }
}
