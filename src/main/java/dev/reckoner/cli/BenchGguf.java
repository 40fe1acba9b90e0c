package dev.reckoner.cli;

import dev.reckoner.gemma.GemmaConfig;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Writes a GGUF file (version 3) of a Gemma 3 shape with random weights, for a peer to be timed on:
 * Q4_0 linear layers, a Q8_0 embedding that is the head too, F32 norms. A Q4_0 block is an fp16
 * scale and 32 nibbles, a Q8_0 block an fp16 scale and 32 bytes.
 */
final class BenchGguf {

  private static final int ALIGNMENT = 32;
  private static final int BLOCK = 32;

  private static final int UINT32 = 4;
  private static final int INT32 = 5;
  private static final int FLOAT32 = 6;
  private static final int STRING = 8;
  private static final int ARRAY = 9;

  private static final int NORMAL = 1;
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int BYTE = 6;

  /** How a tensor is stored: its number in GGUF and the bytes of a block of 32. */
  private enum Type {
    F32(0, 4 * BLOCK),
    Q4_0(2, 2 + BLOCK / 2),
    Q8_0(8, 2 + BLOCK);

    final int id;
    final int blockBytes;

    Type(int id, int blockBytes) {
      this.id = id;
      this.blockBytes = blockBytes;
    }
  }

  /** GGUF names the inner dimension first. */
  private record Entry(String name, Type type, int columns, int rows) {
    long bytes() {
      return (long) columns * rows / BLOCK * type.blockBytes;
    }
  }

  private final GemmaConfig config;
  private final String[] pieces;
  private final List<Entry> entries = new ArrayList<>();
  private final SplittableRandom random = new SplittableRandom(1);
  private OutputStream out;
  private long written;
  private int keys;

  private BenchGguf(GemmaConfig config, String[] pieces) {
    this.config = config;
    this.pieces = pieces;
    int h = config.hidden();
    entries.add(new Entry("token_embd.weight", Type.Q8_0, h, config.vocabulary()));
    entries.add(new Entry("output_norm.weight", Type.F32, h, 1));
    for (int l = 0; l < config.layers(); l++) {
      String b = "blk." + l + ".";
      for (String norm : List.of("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")) {
        entries.add(new Entry(b + norm + ".weight", Type.F32, h, 1));
      }
      entries.add(new Entry(b + "attn_q_norm.weight", Type.F32, config.headDim(), 1));
      entries.add(new Entry(b + "attn_k_norm.weight", Type.F32, config.headDim(), 1));
      entries.add(new Entry(b + "attn_q.weight", Type.Q4_0, h, config.queryWidth()));
      entries.add(new Entry(b + "attn_k.weight", Type.Q4_0, h, config.keyWidth()));
      entries.add(new Entry(b + "attn_v.weight", Type.Q4_0, h, config.keyWidth()));
      entries.add(new Entry(b + "attn_output.weight", Type.Q4_0, config.queryWidth(), h));
      entries.add(new Entry(b + "ffn_gate.weight", Type.Q4_0, h, config.feedForward()));
      entries.add(new Entry(b + "ffn_up.weight", Type.Q4_0, h, config.feedForward()));
      entries.add(new Entry(b + "ffn_down.weight", Type.Q4_0, config.feedForward(), h));
    }
  }

  /**
   * @param pieces text of each token, {@code config.vocabulary()} of them, in tokenizer.json's form
   */
  static void write(GemmaConfig config, String[] pieces, Path file) {
    if (pieces.length != config.vocabulary()) {
      throw new UserException(
          "the tokenizer has %d tokens, the model %d"
              .formatted(pieces.length, config.vocabulary()));
    }
    try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 20)) {
      BenchGguf gguf = new BenchGguf(config, pieces);
      gguf.out = out;
      gguf.write();
    } catch (IOException e) {
      throw new UncheckedIOException(file + " can not be written", e);
    }
  }

  private void write() throws IOException {
    // The metadata once into nothing, to count its keys.
    OutputStream real = out;
    out = OutputStream.nullOutputStream();
    metadata();
    int count = keys;
    out = real;
    written = 0;
    put("GGUF".getBytes(StandardCharsets.US_ASCII));
    u32(3);
    u64(entries.size());
    u64(count);
    metadata();
    long offset = 0;
    for (Entry e : entries) {
      text(e.name());
      u32(e.rows() == 1 ? 1 : 2);
      u64(e.columns());
      if (e.rows() > 1) {
        u64(e.rows());
      }
      u32(e.type().id);
      u64(offset);
      offset += aligned(e.bytes());
    }
    pad();
    for (Entry e : entries) {
      tensor(e);
      pad();
    }
  }

  private void metadata() throws IOException {
    GemmaConfig c = config;
    text("general.architecture", "gemma3");
    text("general.name", "random weights");
    number("general.alignment", ALIGNMENT);
    number("general.file_type", Type.Q4_0.id);
    number("gemma3.context_length", c.maxPositions());
    number("gemma3.embedding_length", c.hidden());
    number("gemma3.block_count", c.layers());
    number("gemma3.feed_forward_length", c.feedForward());
    number("gemma3.attention.head_count", c.heads());
    number("gemma3.attention.head_count_kv", c.kvHeads());
    number("gemma3.attention.key_length", c.headDim());
    number("gemma3.attention.value_length", c.headDim());
    number("gemma3.attention.sliding_window", c.window());
    real("gemma3.attention.layer_norm_rms_epsilon", c.normEpsilon());
    real("gemma3.rope.freq_base", (float) c.ropeThetaGlobal());
    text("tokenizer.ggml.model", "llama");
    text("tokenizer.ggml.pre", "default");
    array("tokenizer.ggml.tokens", STRING);
    for (String piece : pieces) {
      text(piece);
    }
    array("tokenizer.ggml.scores", FLOAT32);
    for (int i = 0; i < pieces.length; i++) {
      u32(Float.floatToRawIntBits(-i));
    }
    array("tokenizer.ggml.token_type", INT32);
    for (int i = 0; i < pieces.length; i++) {
      u32(type(i));
    }
    number("tokenizer.ggml.padding_token_id", 0);
    number("tokenizer.ggml.eos_token_id", 1);
    number("tokenizer.ggml.bos_token_id", 2);
    number("tokenizer.ggml.unknown_token_id", 3);
  }

  private int type(int id) {
    String piece = pieces[id];
    if (id == 3) {
      return UNKNOWN;
    }
    if (id < 3 || piece.matches("<(start_of_turn|end_of_turn|unused\\d+|empty\\d+)>")) {
      return CONTROL;
    }
    return piece.matches("<0x[0-9A-F]{2}>") ? BYTE : NORMAL;
  }

  private void tensor(Entry e) throws IOException {
    if (e.type() == Type.F32) {
      for (int i = 0; i < e.columns() * e.rows(); i++) {
        u32(Float.floatToRawIntBits(1f));
      }
      return;
    }
    // Weights of about 0.02: the scale is that over the codes' spread.
    short scale = Float.floatToFloat16(e.type() == Type.Q4_0 ? 0.02f / 4.6f : 0.02f / 74);
    byte[] row = new byte[e.columns() / BLOCK * e.type().blockBytes];
    ByteBuffer blocks = ByteBuffer.wrap(row).order(ByteOrder.LITTLE_ENDIAN);
    for (int r = 0; r < e.rows(); r++) {
      random.nextBytes(row);
      for (int at = 0; at < row.length; at += e.type().blockBytes) {
        blocks.putShort(at, scale);
      }
      put(row);
    }
  }

  private void text(String key, String value) throws IOException {
    key(key, STRING);
    text(value);
  }

  private void number(String key, int value) throws IOException {
    key(key, UINT32);
    u32(value);
  }

  private void real(String key, float value) throws IOException {
    key(key, FLOAT32);
    u32(Float.floatToRawIntBits(value));
  }

  private void array(String key, int of) throws IOException {
    key(key, ARRAY);
    u32(of);
    u64(pieces.length);
  }

  private void key(String key, int type) throws IOException {
    keys++;
    text(key);
    u32(type);
  }

  private void text(String value) throws IOException {
    byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
    u64(utf8.length);
    put(utf8);
  }

  private void u32(int value) throws IOException {
    put(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
  }

  private void u64(long value) throws IOException {
    put(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
  }

  private void put(byte[] bytes) throws IOException {
    out.write(bytes);
    written += bytes.length;
  }

  private void pad() throws IOException {
    put(new byte[(int) (aligned(written) - written)]);
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
}
