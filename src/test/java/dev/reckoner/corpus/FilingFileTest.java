package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.reasoning.Place;
import java.io.IOException;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FilingFileTest {

  private static final String FINQA =
      """
      [{"pre_text": ["net revenue ( in millions ) was as follows :", "."],
        "post_text": ["the volume/weather variance was 18.9 ."],
        "filename": "ETR/2011/page_376.pdf",
        "table": [["", "amount"], ["2009 net revenue", "$ 684.9"], ["other 5.0% ( 5.0 % )", "-0.3 ( 0.3 )"]],
        "qa": {"question": "what was the change in net revenue?", "answer": "2.7%",
               "program": "divide(18.9, 684.9)", "exe_ans": 0.0276,
               "gold_inds": {"table_1": "the 2009 net revenue is $ 684.9 ;",
                             "text_2": "the volume/weather variance was 18.9 ."}},
        "id": "ETR/2011/page_376.pdf-2"}]
      """;

  private static final String TATQA =
      """
      [{"table": {"uid": "t1", "table": [["", "2019", "2018"], ["Other", "44.1", "56.7"]]},
        "paragraphs": [{"uid": "p1", "order": 1,
                        "text": "Sales are stable. Other sales (in millions) fell to 44.1 in 2019."}],
        "questions": [
          {"uid": "q1", "question": "What is the change in Other?", "answer": -22.22,
           "derivation": "(44.1-56.7)/56.7", "answer_type": "arithmetic", "scale": "percent",
           "mapping": {"table": [[1, 1], [1, 2]], "paragraph": {"1": [[50, 54]]}}},
          {"uid": "q2", "question": "What fell?", "answer": ["Other sales"], "derivation": "",
           "answer_type": "span", "scale": "", "mapping": {}}]}]
      """;

  @TempDir Path folder;

  @Test
  void finQaAsDistributedBecomesAProblemWithItsGoldPlaces() throws IOException {
    Problem problem = FilingFile.read(write("finqa.json", FINQA)).getFirst();

    assertThat(problem.id()).isEqualTo("ETR/2011/page_376.pdf-2");
    assertThat(problem.group()).isEqualTo("ETR/2011/page_376.pdf");
    assertThat(problem.evidence().tables().getFirst().caption()).isEqualTo("in millions");
    assertThat(problem.evidence().tables().getFirst().rows().get(2))
        .as("a figure that FinQA writes twice is kept once")
        .containsExactly("other 5.0%", "-0.3");
    assertThat(problem.evidence().sentences())
        .as("an entry of punctuation alone is no sentence")
        .containsExactly(
            "net revenue ( in millions ) was as follows :",
            "the volume/weather variance was 18.9 .");
    assertThat(problem.support()).isEqualTo(new Support(Set.of(1), Set.of(), Set.of(1)));
    assertThat(problem.gold()).isEqualTo(new Gold.Number(new BigDecimal("2.76"), "%", ""));
    assertThat(problem.program())
        .isEqualTo(new Program(Program.Language.FINQA, "divide(18.9, 684.9)"));
  }

  @Test
  void focusingKeepsTheGoldRowsAndSentencesAndRenumbersTheirPlaces() throws IOException {
    Problem focused = FilingFile.read(write("finqa.json", FINQA)).getFirst().focused();

    assertThat(focused.evidence().tables().getFirst().rows()).hasSize(2);
    assertThat(focused.evidence().sentences())
        .containsExactly("the volume/weather variance was 18.9 .");
    assertThat(focused.support()).isEqualTo(new Support(Set.of(1), Set.of(), Set.of(0)));
  }

  @Test
  void tatQaGivesOneProblemAQuestionWithCellsAndSentences() throws IOException {
    List<Problem> problems = FilingFile.read(write("tatqa.json", TATQA));

    assertThat(problems).extracting(Problem::id).containsExactly("q1", "q2");
    assertThat(problems).extracting(Problem::group).containsOnly("t1");
    assertThat(problems.getFirst().support())
        .isEqualTo(
            new Support(
                Set.of(), Set.of(new Place.Cell(0, 1, 1), new Place.Cell(0, 1, 2)), Set.of(1)));
    assertThat(problems.getFirst().gold())
        .isEqualTo(new Gold.Number(new BigDecimal("-22.22"), "%", ""));
    assertThat(problems.getLast().gold()).isEqualTo(new Gold.Text(List.of("Other sales")));
    assertThat(problems.getLast().program()).isNull();
  }

  @Test
  void aConversationTurnRepeatsTheQuestionsBeforeIt() throws IOException {
    String conversation =
        """
        {"id": "Single_UNP/2008/page_77.pdf-2", "text": "wages were paid . rents were 93 .",
         "table": [["millions", "2008", "2007"], ["rents", "93", "103"]],
         "gold_text": " ", "gold_table": "millions | 2008 | 2007\\nrents | 93 | 103\\n",
         "turns": [{"question": "what were rents?", "gold": 93.0, "program_py": "ans = 93"},
                   {"question": "and the change?", "gold": -10.0, "program_py": "ans = 93 - 103"}]}
        """;
    List<Problem> turns = FilingFile.read(write("conv.jsonl", conversation));

    assertThat(turns).extracting(Problem::group).containsOnly("UNP/2008/page_77.pdf");
    assertThat(turns.getLast().evidence().question()).isEqualTo("what were rents? and the change?");
    assertThat(turns.getLast().support().rows()).containsExactly(1);
  }

  @Test
  void gzipAndPlainLinesReadTheSame() throws IOException {
    String line = FINQA.strip().replaceFirst("^\\[", "").replaceFirst("]$", "").replace("\n", " ");
    Path plain = write("plain.jsonl", line + "\n" + line + "\n");
    Path gzip = folder.resolve("packed.jsonl");
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(gzip))) {
      out.write((line + "\n" + line + "\n").getBytes(StandardCharsets.UTF_8));
    }

    assertThat(FilingFile.read(gzip)).hasSize(2).isEqualTo(FilingFile.read(plain));
  }

  @Test
  void anUnreadableRecordIsNamedByFileAndLine() throws IOException {
    Path broken = write("broken.jsonl", "{\"a\": 1}\n");
    assertThatThrownBy(() -> FilingFile.read(broken))
        .isInstanceOf(CorpusException.class)
        .hasMessageContaining(broken + ":1 (record 1)")
        .hasMessageContaining("fields are a");

    Path cut = write("cut.jsonl", "\n\n{\"pre_text\": [");
    assertThatThrownBy(() -> FilingFile.read(cut))
        .isInstanceOf(CorpusException.class)
        .hasMessageContaining(cut + ":3: not valid JSON");

    assertThatThrownBy(() -> FilingFile.read(folder.resolve("none.json")))
        .isInstanceOf(CorpusException.class)
        .hasMessageEndingWith("none.json: no such file");
  }

  private Path write(String name, String content) throws IOException {
    return Files.writeString(folder.resolve(name), content);
  }
}
