package dev.reckoner.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import dev.reckoner.reasoning.TextConstraint;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonSchemaRulesTest {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String[] PIECES = pieces();

  @ParameterizedTest
  @ValueSource(
      strings = {
        """
        {"type":"object","properties":{"name":{"type":"string","minLength":2,"maxLength":8},
         "amount":{"type":"number"},"count":{"type":"integer"},"listed":{"type":"boolean"},
         "stance":{"enum":["positive","negative","posing"]},"v":{"const":3}},
         "required":["name","stance","v"],"additionalProperties":false}""",
        """
        {"type":"array","minItems":2,"maxItems":3,"items":{"type":"object",
         "properties":{"a":{"type":"integer"},"b":{"type":["string","null"],"maxLength":3}}}}""",
        """
        {"$ref":"#/$defs/node","$defs":{"node":{"type":"object","required":["label","next"],
         "properties":{"label":{"type":"string","maxLength":4},
         "next":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/node"}]}}}}}""",
        """
        {"anyOf":[{"const":"tab"},{"const":"table"},{"type":"array","maxItems":1,"items":{"enum":[1,12,"1"]}}]}"""
      })
  void whateverIsWrittenUnderASchemaIsValid(String text) throws Exception {
    JsonNode schema = JSON.readTree(text);
    JsonSchema validator =
        JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012).getSchema(schema);
    TextConstraint constraint = JsonSchemaRules.constraint(schema);
    TokenTrie trie = new TokenTrie(PIECES);
    for (int seed = 0; seed < 200; seed++) {
      String written = writeAtRandom(constraint, trie, new SplittableRandom(seed));
      JsonNode json = JSON.readTree(written);
      assertThat(validator.validate(json)).as(written).isEmpty();
    }
  }

  @Test
  void textThatBreaksTheSchemaIsRefused() throws Exception {
    TextConstraint constraint =
        JsonSchemaRules.constraint(
            JSON.readTree(
                """
                {"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},
                 "required":["a","b"]}"""));
    assertThat(accepts(constraint, "{\"a\":1,\"b\":\"x\"}")).isTrue();
    assertThat(accepts(constraint, "{\"a\":-10,\"b\":\"\\u00e9\"}")).isTrue();
    assertThat(accepts(constraint, "{\"a\":1}")).isFalse();
    assertThat(accepts(constraint, "{\"a\":1.5,\"b\":\"x\"}")).isFalse();
    assertThat(accepts(constraint, "{\"a\":01,\"b\":\"x\"}")).isFalse();
    assertThat(accepts(constraint, "{\"a\":1,\"b\":\"x\",\"c\":1}")).isFalse();
    assertThat(accepts(constraint, "{\"a\":1,\"b\":\"\\ud800\"}")).isFalse();
    assertThat(accepts(constraint, "{\"a\":1,\"b\":\"\n\"}")).isFalse();
    assertThat(accepts(constraint, "{\"a\":1,\"b\":\"x\"} ")).isFalse();
  }

  @Test
  void fixedTextIsForced() throws Exception {
    TextConstraint.State state =
        JsonSchemaRules.constraint(
                JSON.readTree(
                    """
                    {"type":"object","properties":{"kind":{"const":"sum"},"a":{"type":"integer"}},
                     "required":["kind","a"]}"""))
            .start();
    assertThat(state.forced()).isEqualTo("{\"kind\":\"sum\",\"a\":");
    for (char c : "{\"ki".toCharArray()) {
      state = state.next(c);
    }
    assertThat(state.forced()).isEqualTo("nd\":\"sum\",\"a\":");
  }

  @Test
  void anUnsupportedKeywordIsRefusedByName() throws Exception {
    JsonNode schema = JSON.readTree("{\"type\":\"string\",\"pattern\":\"a+\"}");
    assertThatThrownBy(() -> JsonSchemaRules.constraint(schema)).hasMessageContaining("pattern");
  }

  private static boolean accepts(TextConstraint constraint, String text) {
    TextConstraint.State state = constraint.start();
    for (int i = 0; i < text.length() && state != null; i++) {
      state = state.next(text.charAt(i));
    }
    return state != null && state.accepting();
  }

  private static String writeAtRandom(
      TextConstraint constraint, TokenTrie trie, SplittableRandom random) {
    StringBuilder text = new StringBuilder();
    TextConstraint.State state = constraint.start();
    while (true) {
      int[] allowed = trie.allowed(state, PIECES.length);
      assertThat(allowed.length > 0 || state.accepting()).as("dead end after %s", text).isTrue();
      if (allowed.length == 0 || (state.accepting() && random.nextInt(4) == 0)) {
        return text.toString();
      }
      String piece = PIECES[allowed[random.nextInt(allowed.length)]];
      text.append(piece);
      for (char c : piece.toCharArray()) {
        state = state.next(c);
      }
    }
  }

  private static String[] pieces() {
    String[] words = {
      "na", "me", "\":", "\",", "posit", "ive", "nega", "12", "3.", ".5", "null", "é", "ü", "😀",
      "}]", "{\"", "true,", "false", "tab", "label", "\\u00", "\\n", "--", "[]", ",\""
    };
    String[] pieces = new String[95 + words.length];
    for (int i = 0; i < 95; i++) {
      pieces[i] = Character.toString(' ' + i);
    }
    System.arraycopy(words, 0, pieces, 95, words.length);
    return pieces;
  }
}
