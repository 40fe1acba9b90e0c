package dev.reckoner.review;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class WordDiffTest {

  @Test
  void onlyTheWordsThatDifferAreMarked() {
    assertThat(WordDiff.between("cite b = 107,588 USD @ r6c2", "cite b = 109,120 USD @ r8c2"))
        .containsExactly(
            new WordDiff.Piece("kept", "cite b = "),
            new WordDiff.Piece("removed", "107,588"),
            new WordDiff.Piece("added", "109,120"),
            new WordDiff.Piece("kept", " USD @ "),
            new WordDiff.Piece("removed", "r6c2"),
            new WordDiff.Piece("added", "r8c2"));
  }

  @Test
  void aNewLineIsAddedAsAWhole() {
    assertThat(WordDiff.between("", "infer a : It rose."))
        .containsExactly(new WordDiff.Piece("added", "infer a : It rose."));
  }
}
