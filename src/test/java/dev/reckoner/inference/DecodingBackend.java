package dev.reckoner.inference;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.CacheBatch;
import dev.reckoner.tensor.DecoderStack;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.LowRank;
import dev.reckoner.tensor.LowRankRows;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A backend with steps of one token, as a GPU has them, made of another's operations; it counts the
 * logits of whole vocabularies that are read back.
 */
final class DecodingBackend {
  private final Backend real;
  private final int vocabulary;
  private final int most;
  int steps;
  int wholeRows;

  /**
   * @param most sequences of a step
   */
  DecodingBackend(Backend real, int vocabulary, int most) {
    this.real = real;
    this.vocabulary = vocabulary;
    this.most = most;
  }

  private static final class Batch implements CacheBatch {
    private List<KeyValues> caches;
    private int[] starts;
    private int[] past;

    @Override
    public int segments() {
      return caches.size();
    }

    @Override
    public void close() {}
  }

  private record Rows(List<LowRank> adapters, int[] starts) implements LowRankRows {
    @Override
    public void close() {}
  }

  Backend backend() {
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, this::invoke);
  }

  private Object invoke(Object proxy, Method method, Object[] a) throws Throwable {
    switch (method.getName()) {
      case "mostDecoded" -> {
        return most;
      }
      case "lowRankRows" -> {
        List<LowRank> adapters = new ArrayList<>();
        ((List<?>) a[0]).forEach(adapter -> adapters.add((LowRank) adapter));
        return new Rows(adapters, (int[]) a[1]);
      }
      case "batch" -> {
        Batch batch = new Batch();
        batch.caches = ((List<?>) a[0]).stream().map(KeyValues.class::cast).toList();
        batch.starts = (int[]) a[1];
        batch.past = (int[]) a[2];
        return batch;
      }
      case "appendKeyValues", "cachedAttention" -> {
        try (CacheBatch own = own((Batch) a[0])) {
          Object[] others = a.clone();
          others[0] = own;
          return call(method, others);
        }
      }
      case "assign" -> {
        if (a[0] instanceof Batch batch) {
          batch.caches = ((List<?>) a[1]).stream().map(KeyValues.class::cast).toList();
          batch.past = (int[]) a[2];
        } else {
          int[] values = ((Indices) a[0]).values();
          System.arraycopy(a[1], 0, values, 0, values.length);
        }
        return null;
      }
      case "decode" -> {
        steps++;
        decode((DecoderStack) a[0], (Indices) a[1], (Batch) a[2], (Tensor) a[3]);
        return null;
      }
      case "mostLikely" -> {
        mostLikely((Tensor) a[0], (Indices) a[1], (Tensor) a[2]);
        return null;
      }
      case "mostLikelyAmong" -> {
        among((Tensor) a[0], ((Indices) a[1]).values(), (Tensor) a[2]);
        return null;
      }
      case "likely" -> {
        likely((Tensor) a[0], (Tensor) a[1], (float) a[2], (Tensor) a[3]);
        return null;
      }
      case "download" -> {
        wholeRows += ((Tensor) a[0]).columns() == vocabulary ? ((Tensor) a[0]).rows() : 0;
        return call(method, a);
      }
      default -> {
        return call(method, a);
      }
    }
  }

  private Object call(Method method, Object[] arguments) throws Throwable {
    try {
      return method.invoke(real, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private CacheBatch own(Batch batch) {
    return real.batch(batch.caches, batch.starts, batch.past);
  }

  private void decode(DecoderStack stack, Indices ids, Batch batch, Tensor h) {
    int t = h.rows();
    float eps = stack.eps();
    DecoderStack.Layer one = stack.layers().getFirst();
    int q = one.o().columns();
    int kv = (one.qkv().rows() - q) / 2;
    try (CacheBatch caches = own(batch);
        Indices positions = real.indices(batch.past);
        Tensor x = real.activations(t, h.columns());
        Tensor branch = real.activations(t, h.columns());
        Tensor qkv = real.activations(t, q + 2 * kv);
        Tensor queries = real.activations(t, q);
        Tensor keys = real.activations(t, kv);
        Tensor attended = real.activations(t, q);
        Tensor gateUp = real.activations(t, one.gateUp().rows());
        Tensor activated = real.activations(t, one.down().columns())) {
      real.embed(stack.embedding(), ids, stack.embeddingScale(), x);
      for (int l = 0; l < stack.layers().size(); l++) {
        DecoderStack.Layer w = stack.layers().get(l);
        real.rmsNorm(x, w.inputNorm(), eps, h, null);
        linear(w.qkv(), w.adapters().qkv(), h, qkv);
        real.qkNormRope(qkv, w.qNorm(), w.kNorm(), eps, positions, w.rope(), queries, keys, null);
        real.appendKeyValues(caches, l, keys, qkv.columns(q + kv, q + 2 * kv));
        real.cachedAttention(
            caches, l, queries, stack.headDim(), w.window(), stack.attentionScale(), attended);
        linear(w.o(), w.adapters().o(), attended, branch);
        real.rmsNormAdd(branch, w.postAttentionNorm(), eps, x, x, null);
        real.rmsNorm(x, w.preFeedForwardNorm(), eps, h, null);
        linear(w.gateUp(), w.adapters().gateUp(), h, gateUp);
        real.geglu(gateUp, activated);
        linear(w.down(), w.adapters().down(), activated, branch);
        real.rmsNormAdd(branch, w.postFeedForwardNorm(), eps, x, x, null);
      }
      real.rmsNorm(x, stack.finalNorm(), eps, h, null);
    }
  }

  private void linear(Matrix w, LowRankRows adapters, Tensor x, Tensor y) {
    real.linear(w, x, 1, 0, y);
    if (adapters == null) {
      return;
    }
    Rows rows = (Rows) adapters;
    for (int i = 0; i < rows.adapters().size(); i++) {
      LowRank adapter = rows.adapters().get(i);
      int from = rows.starts()[i];
      int to = rows.starts()[i + 1];
      if (adapter == null) {
        continue;
      }
      try (Tensor u = real.activations(to - from, adapter.ranks())) {
        real.linear(adapter.a(), x.rows(from, to), 1, 0, u);
        for (LowRank.Part part : adapter.parts()) {
          real.linear(
              part.b(),
              u.columns(part.fromRank(), part.toRank()),
              adapter.scale(),
              1,
              y.rows(from, to).columns(part.fromColumn(), part.toColumn()));
        }
      }
    }
  }

  private float[] row(Tensor t, int row) {
    float[] values = new float[t.columns()];
    real.download(t.rows(row, row + 1), values);
    return values;
  }

  private void mostLikely(Tensor logits, Indices mask, Tensor picks) {
    float[] out = new float[2 * logits.rows()];
    for (int r = 0; r < logits.rows(); r++) {
      float[] row = row(logits, r);
      for (int i = 0; mask != null && i < row.length; i++) {
        boolean in = (mask.values()[i >> 5] >> (i & 31) & 1) == 1;
        row[i] = in ? row[i] : Float.NEGATIVE_INFINITY;
      }
      pick(row, out, r);
    }
    real.upload(out, picks);
  }

  private void among(Tensor scores, int[] starts, Tensor picks) {
    float[] out = new float[2 * scores.rows()];
    for (int r = 0; r < scores.rows(); r++) {
      pick(Arrays.copyOfRange(row(scores, r), starts[r], starts[r + 1]), out, r);
    }
    real.upload(out, picks);
  }

  private static void pick(float[] row, float[] out, int r) {
    int best = -1;
    double sum = 0;
    for (int i = 0; i < row.length; i++) {
      best = best < 0 || row[i] > row[best] ? i : best;
    }
    for (float v : row) {
      sum += Math.exp(v - (double) row[best]);
    }
    out[2 * r] = best;
    out[2 * r + 1] = (float) -Math.log(sum);
  }

  private void likely(Tensor logits, Tensor pick, float reach, Tensor found) {
    float[] row = row(logits, 0);
    float floor = row[(int) row(pick, 0)[0]] - reach;
    float[] out = new float[found.columns()];
    out[1] = floor;
    // From the end: the order is not promised.
    for (int i = row.length - 1; i >= 0; i--) {
      if (row[i] >= floor) {
        int place = (int) out[0]++;
        out[2 + 2 * place] = Float.intBitsToFloat(i);
        out[3 + 2 * place] = row[i];
      }
    }
    real.upload(out, found);
  }
}
