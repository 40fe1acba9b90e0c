package dev.reckoner.reasoning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChainTest {

  private static final String TEXT =
      """
      cite a = Operating loss|2023 : -1,234 USD million @ r2c1
      cite b = 2.5 million shares @ s0
      cite c = 20 % @ q
      compute d = (a + a) / b as thousand = -0.9872 USD thousand
      compute e = a > d = no
      infer a,d : The loss: heavy, and per share too.
      conclude e = no ; stance negative ; flags leverage,liquidity\
      """;

  private final ObjectMapper json = new ObjectMapper();

  @Test
  void textAndJsonSayTheSame() throws Exception {
    Chain chain = Chain.parse(TEXT);
    assertEquals(TEXT, chain.text());
    assertEquals(chain, Chain.fromJson(json.readTree(chain.toJson().toString())));
    assertEquals("no", chain.answer());
  }

  @Test
  void everyChainThatTheGrammarWritesFitsThePublishedSchema() throws Exception {
    JsonSchema schema = schema();
    assertEquals(List.of(), List.copyOf(schema.validate(Chain.parse(TEXT).toJson())));
    for (int seed = 0; seed < 40; seed++) {
      String text = ChainGrammarTest.randomWalk(Samples.earnings(), new Random(seed));
      assertEquals(List.of(), List.copyOf(schema.validate(Chain.parse(text).toJson())), text);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{\"steps\":[]}",
        "{\"steps\":[{\"step\":\"guess\"}]}",
        "{\"steps\":[{\"step\":\"conclude\",\"answer\":\"maybe\"}]}",
        "{\"steps\":[{\"step\":\"conclude\",\"answer\":\"yes\",\"flags\":[]}]}",
        "{\"steps\":[{\"step\":\"infer\",\"premises\":[],\"sentence\":\"So.\"}]}",
        "{\"steps\":[{\"step\":\"cite\",\"name\":\"a\",\"place\":\"r1\",\"figure\":"
            + "{\"digits\":\"1\",\"value\":\"1\",\"unit\":\"\",\"scale\":\"units\"}}]}",
        "{\"steps\":[{\"step\":\"cite\",\"name\":\"a\",\"place\":\"r1c1\",\"figure\":"
            + "{\"digits\":\"1\",\"value\":\"1\",\"unit\":\"pesos\",\"scale\":\"units\"}}]}",
      })
  void whatTheSchemaRefusesTheReaderRefuses(String text) throws Exception {
    JsonNode node = json.readTree(text);
    assertFalse(schema().validate(node).isEmpty());
    if (!text.contains("flags")) {
      assertThrows(ChainSyntaxException.class, () -> Chain.fromJson(node));
    }
  }

  @Test
  void digitsAndValueMustAgree() throws Exception {
    String text = Chain.parse(TEXT).toJson().toString().replace("\"-1234\"", "\"-1235\"");
    assertThrows(ChainSyntaxException.class, () -> Chain.fromJson(json.readTree(text)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "guess a = 5 => 1",
        "cite a = 5 => 5",
        "cite a = five @ r1c1 => 10",
        "cite a = 5 USD zillion @ r1c1 => 10",
        "cite a = 5 @ r1 => 14",
        "compute a = 1 + 1 => 8",
        "conclude a = maybe => 14",
        "conclude yes ; stance bullish ; flags none => 23",
        "conclude yes ; stance neutral ; flags war => 39",
      })
  void aMistakeIsReportedWithItsPlace(String given) {
    String text = given.split(" => ")[0];
    ChainSyntaxException e =
        assertThrows(ChainSyntaxException.class, () -> Chain.parse("\n" + text), text);
    assertEquals(2, e.line());
    assertEquals(Integer.parseInt(given.split(" => ")[1]), e.column(), e.getMessage());
  }

  @Test
  void namesAreUniqueAndTheConclusionIsLast() {
    assertThrows(ChainSyntaxException.class, () -> Chain.parse("cite a = 5 @ q\ncite a = 6 @ q"));
    assertThrows(ChainSyntaxException.class, () -> Chain.parse("conclude yes\ncite a = 6 @ q"));
    assertThrows(ChainSyntaxException.class, () -> Chain.parse(" \n "));
    assertThrows(ChainSyntaxException.class, () -> Chain.parse("conclude yes\n".repeat(100)));
  }

  @Test
  void rubbishNeverThrowsAnythingElse() {
    Random random = new Random(9);
    String[] pieces = {
      "cite ",
      "compute ",
      "infer ",
      "conclude ",
      "a",
      "b",
      " = ",
      " @ ",
      " : ",
      "r1c1",
      "s99999999999",
      "9,896",
      " USD",
      " million",
      " %",
      "\n",
      ",",
      "yes",
      "not stated",
      " ; stance ",
      "positive",
      " ; flags ",
      "none",
      "one-off",
      "-",
      "(",
      "\u0000",
      "é",
      "undefined",
      " as ",
      "t1.r2c3",
      "q"
    };
    int read = 0;
    for (int n = 0; n < 30_000; n++) {
      StringBuilder text = new StringBuilder();
      for (int i = random.nextInt(14); i > 0; i--) {
        text.append(pieces[random.nextInt(pieces.length)]);
      }
      try {
        Chain chain = Chain.parse(text.toString());
        assertEquals(chain, Chain.parse(chain.text()));
        read++;
      } catch (ChainSyntaxException e) {
        assertTrue(e.line() >= 1 && e.column() >= 1);
      } catch (Exception e) {
        throw new AssertionError("on " + text, e);
      }
    }
    assertTrue(read > 0);
  }

  @Test
  void labelsThatWereLeftOutAreFilledIn() throws Exception {
    String text =
        """
        cite a = 9,896 USD million @ r1c1
        cite b = Net sales|2022 : 8,181 USD million @ r1c2
        cite c = 2.5 million shares @ s0
        cite d = what is this
        conclude a = 9,896 USD million\
        """;
    assertEquals(
        text.replace("= 9,896 USD million @", "= Net sales|2023 : 9,896 USD million @"),
        Figures.of(Samples.earnings()).labelled(text));
  }

  @Test
  void aLabelMayHoldWhatTheLineIsCutAt() throws Exception {
    String text = "cite a = Note 7 : loans = A @ par|Q1: net : 5 USD @ r1c1\nconclude a = 5 USD";
    Chain chain = Chain.parse(text);
    Step.Cite cite = (Step.Cite) chain.steps().getFirst();
    assertEquals("Note 7 : loans = A @ par|Q1: net", cite.label());
    assertEquals(text, chain.text());
    assertEquals(chain, Chain.fromJson(chain.toJson()));
  }

  private static JsonSchema schema() throws IOException {
    try (InputStream in = ChainTest.class.getResourceAsStream("/schemas/chain.schema.json")) {
      return JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012).getSchema(in);
    }
  }
}
