package dev.reckoner.corpus;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A trained vocabulary, written as the {@code tokenizer.json} and {@code tokenizer_config.json} of
 * a Gemma checkpoint.
 *
 * @param pieces every piece; its index is its id
 * @param merges the merges, strongest first
 */
public record BpeVocabulary(List<String> pieces, List<BpeTrainer.Pair> merges) {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> SPECIAL =
      List.of("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>");

  /** Gemma's chat format: the system message folded into the first user turn. */
  private static final String CHAT_TEMPLATE =
      """
      {{ bos_token }}
      {%- if messages[0]['role'] == 'system' -%}
          {%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}
          {%- set loop_messages = messages[1:] -%}
      {%- else -%}
          {%- set first_user_prefix = '' -%}
          {%- set loop_messages = messages -%}
      {%- endif -%}
      {%- for message in loop_messages -%}
          {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
              {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
          {%- endif -%}
          {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
          {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else '') }}
          {{- message['content'] | trim + '<end_of_turn>\\n' }}
      {%- endfor -%}
      {%- if add_generation_prompt -%}
          {{ '<start_of_turn>model\\n' }}
      {%- endif -%}
      """;

  public BpeVocabulary {
    pieces = List.copyOf(pieces);
    merges = List.copyOf(merges);
  }

  /** Writes both files into a folder, which is created if missing. */
  public void write(Path folder) throws IOException {
    Files.createDirectories(folder);
    Files.writeString(folder.resolve("tokenizer.json"), tokenizer().toPrettyString() + "\n");
    Files.writeString(folder.resolve("tokenizer_config.json"), config().toPrettyString() + "\n");
  }

  private ObjectNode tokenizer() {
    ObjectNode root = JSON.createObjectNode();
    root.put("version", "1.0").putNull("truncation").putNull("padding");
    ArrayNode added = root.putArray("added_tokens");
    for (String special : SPECIAL) {
      added
          .addObject()
          .put("id", pieces.indexOf(special))
          .put("content", special)
          .put("single_word", false)
          .put("lstrip", false)
          .put("rstrip", false)
          .put("normalized", false)
          .put("special", true);
    }
    ObjectNode normalizer = root.putObject("normalizer");
    normalizer.put("type", "Replace").put("content", BpeTrainer.SPACE);
    normalizer.putObject("pattern").put("String", " ");
    root.putNull("pre_tokenizer");
    root.set("post_processor", beginWithBos());
    ArrayNode decoders = root.putObject("decoder").put("type", "Sequence").putArray("decoders");
    ObjectNode spaces = decoders.addObject().put("type", "Replace").put("content", " ");
    spaces.putObject("pattern").put("String", BpeTrainer.SPACE);
    decoders.addObject().put("type", "ByteFallback");
    decoders.addObject().put("type", "Fuse");
    ObjectNode model = root.putObject("model");
    model.put("type", "BPE").putNull("dropout").put("unk_token", "<unk>");
    model.putNull("continuing_subword_prefix").putNull("end_of_word_suffix");
    model.put("fuse_unk", true).put("byte_fallback", true).put("ignore_merges", false);
    ObjectNode vocabulary = model.putObject("vocab");
    for (int id = 0; id < pieces.size(); id++) {
      vocabulary.put(pieces.get(id), id);
    }
    ArrayNode list = model.putArray("merges");
    merges.forEach(merge -> list.addArray().add(merge.left()).add(merge.right()));
    return root;
  }

  private ObjectNode beginWithBos() {
    ObjectNode processor = JSON.createObjectNode().put("type", "TemplateProcessing");
    for (String kind : List.of("single", "pair")) {
      ArrayNode parts = processor.putArray(kind);
      parts.addObject().putObject("SpecialToken").put("id", "<bos>").put("type_id", 0);
      parts.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
      if (kind.equals("pair")) {
        parts.addObject().putObject("Sequence").put("id", "B").put("type_id", 1);
      }
    }
    ObjectNode bos = processor.putObject("special_tokens").putObject("<bos>").put("id", "<bos>");
    bos.putArray("ids").add(pieces.indexOf("<bos>"));
    bos.putArray("tokens").add("<bos>");
    return processor;
  }

  private ObjectNode config() {
    ObjectNode config = JSON.createObjectNode();
    config.put("tokenizer_class", "GemmaTokenizer").put("add_bos_token", true);
    config.put("add_eos_token", false).put("clean_up_tokenization_spaces", false);
    config.put("bos_token", "<bos>").put("eos_token", "<eos>").put("pad_token", "<pad>");
    config.put("unk_token", "<unk>").put("chat_template", CHAT_TEMPLATE.strip());
    return config;
  }
}
