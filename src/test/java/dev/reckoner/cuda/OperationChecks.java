package dev.reckoner.cuda;

import dev.reckoner.tensor.AdamW;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.CacheBatch;
import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.LowRank;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.Tensor;
import dev.reckoner.tensor.WeightSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** Every operation of the backend interface, at odd and at aligned sizes, on random inputs. */
final class OperationChecks {
  /** Outputs of an operation on the backend of {@code o}; the same inputs every time. */
  interface Operation {
    float[][] run(Ops o);
  }

  /**
   * @param tolerance of {@code |out - reference| / |reference|}, each output
   */
  record Check(String name, String size, double tolerance, Operation operation) {
    /** Relative error of each output of {@code tested} against {@code reference}. */
    double[] errors(Backend tested, Backend reference) {
      try (Ops ours = new Ops(tested);
          Ops theirs = new Ops(reference)) {
        float[][] expected = operation.run(theirs);
        float[][] got = operation.run(ours);
        double[] errors = new double[expected.length];
        for (int i = 0; i < errors.length; i++) {
          errors[i] = relativeError(got[i], expected[i]);
        }
        return errors;
      }
    }

    boolean passes(double[] errors) {
      return Arrays.stream(errors).allMatch(e -> e <= tolerance);
    }
  }

  /** {@code |a - b| / |b|}; NaN (which passes no bound) where either has one. */
  private static double relativeError(float[] a, float[] b) {
    if (a.length != b.length) {
      return Double.NaN;
    }
    double difference = 0;
    double size = 0;
    for (int i = 0; i < a.length; i++) {
      double d = (double) a[i] - b[i];
      difference += d * d;
      size += (double) b[i] * b[i];
    }
    if (difference == 0) {
      return 0;
    }
    return Math.sqrt(difference / Math.max(size, 1e-30));
  }

  private static final double EXACT = 1e-6;
  private static final double FLOAT = 1e-4;
  private static final double BF16 = 6e-3;
  private static final double BF16_GRADIENT = 1.2e-2;

  private final List<Check> checks = new ArrayList<>();
  private final long seed;

  private OperationChecks(long seed) {
    this.seed = seed;
  }

  static List<Check> all(long seed) {
    OperationChecks c = new OperationChecks(seed);
    c.memory();
    c.linear();
    c.adapted();
    c.fewRows();
    c.adaptedGeglu();
    c.embedding();
    c.norms();
    c.attention();
    c.cached();
    c.feedForward();
    c.training();
    return c.checks;
  }

  private void add(String name, String size, double tolerance, Operation operation) {
    checks.add(new Check(name, size, tolerance, operation));
  }

  private SplittableRandom random() {
    return new SplittableRandom(seed + 7919L * checks.size());
  }

  private void memory() {
    for (int[] s : new int[][] {{37, 19}, {64, 512}}) {
      int t = s[0];
      int n = s[1];
      String size = t + "x" + n;
      SplittableRandom r = random();
      float[] x = Ops.normal(r, t * n, 1);
      float[] y = Ops.normal(r, t * n, 1);
      add("upload/download", size, EXACT, o -> new float[][] {o.read(o.activation(x, t, n))});
      add("view upload/download", size, EXACT, o -> new float[][] {o.read(o.view(x, t, n, 8, 8))});
      add(
          "copy to fp32 and back",
          size,
          EXACT,
          o -> {
            Tensor f = o.floatOut(t, n);
            o.b.copy(o.view(x, t, n, 8, 0), f);
            Tensor back = o.out(t, n);
            o.b.copy(f, back);
            return new float[][] {o.read(f), o.read(back)};
          });
      add(
          "add",
          size,
          BF16,
          o -> {
            Tensor a = o.activation(y, t, n);
            o.b.add(o.view(x, t, n, 3, 0), a);
            Tensor f = o.floats(y, t, n);
            o.b.add(o.activation(x, t, n), f);
            return new float[][] {o.read(a), o.read(f)};
          });
      add(
          "fill",
          size,
          EXACT,
          o -> {
            Tensor a = o.out(t, n);
            o.b.fill(a, 2.5f);
            Tensor f = o.floatOut(t, n);
            o.b.fill(f, 0);
            return new float[][] {o.read(a), o.read(f)};
          });
      int[] rows = {5, 0, t - 1, 7};
      add(
          "gather/scatter rows",
          size,
          EXACT,
          o -> {
            Tensor g = o.out(4, n);
            o.b.gatherRows(o.view(x, t, n, 8, 0), o.indices(rows), g);
            Tensor sc = o.activation(y, t, n);
            o.b.scatterRows(g, o.indices(rows), sc);
            return new float[][] {o.read(g), o.read(sc)};
          });
    }
  }

  private void linear() {
    int[][] sizes = {{1, 64, 48}, {33, 192, 80}, {257, 640, 1024}, {1000, 1152, 136}};
    for (int[] s : sizes) {
      int t = s[0];
      int in = s[1];
      int n = s[2];
      String size = "%dx%d->%d".formatted(t, in, n);
      SplittableRandom r = random();
      float[] w = Ops.normal(r, n * in, 1 / Math.sqrt(in));
      float[] x = Ops.normal(r, t * in, 1);
      float[] y = Ops.normal(r, t * n, 1);
      float[] gradient = Ops.normal(r, n * in, 1);
      int first = n / 2;
      WeightSource a = WeightSource.of(Arrays.copyOf(w, first * in), first, in);
      WeightSource b = WeightSource.of(Arrays.copyOfRange(w, first * in, n * in), n - first, in);
      for (String kind : List.of("bf16", "trainable", "nf4")) {
        double tolerance = kind.equals("nf4") ? BF16_GRADIENT : BF16;
        add(
            "linear " + kind,
            size,
            tolerance,
            o -> {
              Matrix m = matrix(o, kind, a, b, w, n, in);
              Tensor plain = o.out(t, n);
              o.b.linear(m, o.activation(x, t, in), 1, 0, plain);
              Tensor added = o.view(y, t, n, 16, 8);
              o.b.linear(m, o.view(x, t, in, 8, 8), 0.5f, 1, added);
              Tensor dx = o.out(t, in);
              o.b.linearInputGradient(m, o.activation(y, t, n), 1, 0, dx);
              Tensor dx2 = o.activation(x, t, in);
              o.b.linearInputGradient(m, o.activation(y, t, n), 2, 1, dx2);
              return new float[][] {o.read(plain), o.read(added), o.read(dx), o.read(dx2)};
            });
      }
      add(
          "linear rows",
          size,
          BF16,
          o -> {
            Tensor chosen = o.out(t, 3);
            o.b.linearRows(
                matrix(o, "bf16", a, b, w, n, in),
                o.indices(n - 1, 0, 3),
                o.activation(x, t, in),
                chosen);
            return new float[][] {o.read(chosen)};
          });
      add(
          "linear weight gradient",
          size,
          FLOAT,
          o -> {
            Tensor dw = o.floats(gradient, n, in);
            o.b.linearWeightGradient(o.activation(y, t, n), o.activation(x, t, in), 0.25f, dw);
            Tensor dw2 = o.floats(gradient, n, in);
            o.b.linearWeightGradient(o.view(y, t, n, 8, 8), o.view(x, t, in, 0, 8), 1, dw2);
            return new float[][] {o.read(dw), o.read(dw2)};
          });
    }
  }

  /** As in decoding: few rows, whose result must not depend on their number. */
  private void fewRows() {
    for (int[] s :
        new int[][] {
          {1, 1536, 1152},
          {3, 1152, 6912},
          {8, 4608, 2048},
          {6, 130, 320},
          {13, 1152, 1024},
          {31, 4100, 576},
          {64, 1536, 1152}
        }) {
      int t = s[0];
      int n = s[1];
      int in = s[2];
      SplittableRandom r = random();
      float[] x = Ops.normal(r, t * in, 1);
      float[] y = Ops.normal(r, t * n, 1);
      float[] w = Ops.normal(r, n * in, 0.05);
      WeightSource a = WeightSource.of(Arrays.copyOf(w, 64 * in), 64, in);
      WeightSource b = WeightSource.of(Arrays.copyOfRange(w, 64 * in, n * in), n - 64, in);
      for (String kind : List.of("bf16", "nf4")) {
        add(
            "few rows " + kind,
            "%dx%d -> %d".formatted(t, in, n),
            BF16,
            o -> {
              Matrix m = matrix(o, kind, a, b, w, n, in);
              Tensor tx = o.view(x, t, in, 8, 8);
              Tensor out = o.out(t, n);
              o.b.linear(m, tx, 1, 0, out);
              Tensor added = o.view(y, t, n, 8, 3);
              o.b.linear(m, tx, 0.5f, 1, added);
              Tensor last = o.out(1, n);
              o.b.linear(m, tx.rows(t - 1, t), 1, 0, last);
              float[] all = o.read(out);
              float[] alone = o.read(last);
              if (!Arrays.equals(Arrays.copyOfRange(all, (t - 1) * n, t * n), alone)) {
                throw new IllegalStateException("a row alone differs from the row in a batch");
              }
              return new float[][] {all, o.read(added), alone};
            });
      }
    }
  }

  /** The gradient of GeGLU with those of B before it and A behind it. */
  private void adaptedGeglu() {
    for (int[] s :
        new int[][] {{1, 64, 16}, {130, 136, 8}, {700, 2048, 16}, {333, 392, 32}, {50, 60, 4}}) {
      int t = s[0];
      int f = s[1];
      int rank = s[2];
      SplittableRandom r = random();
      float[] dOut = Ops.normal(r, t * f, 1);
      float[] gateUp = Ops.normal(r, 2 * t * f, 1);
      float[] u = Ops.normal(r, 2 * t * rank, 1);
      float[] du = Ops.normal(r, t * rank, 1);
      float[] gradients = Ops.normal(r, 3 * f * rank, 1);
      float[] la = Ops.normal(r, 2 * rank * 64, 0.1);
      add(
          "adapted geglu gradient",
          "%dx%d, rank %d".formatted(t, f, rank),
          BF16_GRADIENT,
          o -> {
            Tensor b = o.floats(Arrays.copyOf(gradients, 2 * f * rank), 2 * f, rank);
            Tensor a = o.floats(Arrays.copyOfRange(gradients, 2 * f * rank, 3 * f * rank), rank, f);
            Tensor dGateUp = o.out(t, 2 * f);
            Matrix ma = o.keep(o.b.trainable(o.floats(la, 2 * rank, 64)));
            Matrix mb = o.keep(o.b.trainable(o.zeros(f, rank)));
            LowRank adapter =
                new LowRank(
                    ma,
                    0.5f,
                    List.of(
                        new LowRank.Part(mb, 0, f, 0, rank),
                        new LowRank.Part(mb, f, 2 * f, rank, 2 * rank)));
            o.b.adaptedGegluGradient(
                o.activation(dOut, t, f),
                o.activation(gateUp, t, 2 * f),
                dGateUp,
                adapter,
                o.view(u, t, 2 * rank, 8, 8),
                List.of(b.slice(0, f, rank), b.slice((long) f * rank, f, rank)),
                o.view(du, t, rank, 8, 0),
                a);
            return new float[][] {o.read(dGateUp), o.read(b), o.read(a)};
          });
    }
  }

  /** u behind x (and du behind dx), behind y (and dy), and alone. */
  private void adapted() {
    int[][] shapes = {
      {70, 128, 96, 160, 8}, {300, 640, 512, 128, 16}, {90, 192, 96, 96, 16}, {33, 64, 24, 40, 4}
    };
    for (int[] s : shapes) {
      int t = s[0];
      int in = s[1];
      int first = s[2];
      int n = first + s[3];
      int rank = s[4];
      SplittableRandom r = random();
      float[] x = Ops.normal(r, t * in, 1);
      float[] dy = Ops.normal(r, t * n, 1);
      float[] w = Ops.normal(r, n * in, 0.05);
      float[] la = Ops.normal(r, 2 * rank * in, 0.1);
      float[] lb = Ops.normal(r, n * rank, 0.1);
      WeightSource a = WeightSource.of(Arrays.copyOf(w, first * in), first, in);
      WeightSource b = WeightSource.of(Arrays.copyOfRange(w, first * in, n * in), n - first, in);
      for (String kind : List.of("bf16", "nf4")) {
        add(
            "adapted linear " + kind,
            "%dx%d -> %d + %d, rank %d".formatted(t, in, first, n - first, rank),
            BF16_GRADIENT,
            o -> {
              Matrix m = matrix(o, kind, a, b, w, n, in);
              Tensor masterA = o.floats(la, 2 * rank, in);
              Tensor masterB = o.floats(lb, n, rank);
              Matrix ma = o.keep(o.b.trainable(masterA));
              Matrix b1 = o.keep(o.b.trainable(masterB.rows(0, first)));
              Matrix b2 = o.keep(o.b.trainable(masterB.rows(first, n)));
              o.b.refresh(List.of(ma, b1, b2));
              LowRank adapter =
                  new LowRank(
                      ma,
                      2,
                      List.of(
                          new LowRank.Part(b1, 0, first, 0, rank),
                          new LowRank.Part(b2, first, n, rank, 2 * rank)));
              List<float[]> results = new ArrayList<>();
              for (int form = 0; form < 3; form++) {
                Tensor wideX = o.out(t, in + 2 * rank);
                Tensor wideY = o.out(t, n + 2 * rank);
                Tensor alone = o.out(t, 2 * rank);
                Tensor tx = wideX.columns(0, in);
                Tensor ty = wideY.columns(0, n);
                Tensor u =
                    switch (form) {
                      case 0 -> wideX.columns(in, in + 2 * rank);
                      case 1 -> wideY.columns(n, n + 2 * rank);
                      default -> alone;
                    };
                o.b.upload(x, tx);
                o.b.linear(m, adapter, tx, u, ty);
                results.add(o.read(u));
                results.add(o.read(ty));
                o.b.upload(dy, ty);
                o.b.linearInputGradient(m, adapter, ty, u, tx);
                results.add(o.read(u));
                results.add(o.read(tx));
              }
              Tensor db = o.floats(lb, n, rank);
              Tensor tu = o.view(Arrays.copyOf(x, t * 2 * rank), t, 2 * rank, 8, 8);
              List<Tensor> gradients = List.of(db.rows(0, first), db.rows(first, n));
              o.b.lowRankGradient(adapter, o.activation(dy, t, n), tu, gradients);
              results.add(o.read(db));
              return results.toArray(float[][]::new);
            });
      }
    }
  }

  private static Matrix matrix(
      Ops o, String kind, WeightSource a, WeightSource b, float[] w, int n, int in) {
    return switch (kind) {
      case "bf16" -> o.keep(o.b.dense(List.of(a, b), Precision.BF16));
      case "nf4" -> o.keep(o.b.nf4(List.of(Nf4.quantise(a), Nf4.quantise(b))));
      default -> {
        Tensor master = o.floatOut(n, in);
        Matrix m = o.keep(o.b.trainable(master));
        o.b.upload(w, master);
        o.b.refresh(m);
        yield m;
      }
    };
  }

  private void embedding() {
    for (int[] s : new int[][] {{50, 19, 7}, {300, 640, 4000}}) {
      int t = s[0];
      int n = s[1];
      int vocabulary = s[2];
      SplittableRandom r = random();
      float[] table = Ops.normal(r, vocabulary * n, 1);
      float[] d = Ops.normal(r, t * n, 1);
      int[] ids = Ops.integers(r, t, vocabulary);
      String size = "%dx%d of %d".formatted(t, n, vocabulary);
      add(
          "embed",
          size,
          BF16,
          o -> {
            Matrix m =
                o.keep(o.b.dense(List.of(WeightSource.of(table, vocabulary, n)), Precision.BF16));
            Tensor out = o.out(t, n);
            o.b.embed(m, o.indices(ids), 25.25f, out);
            Tensor dTable = o.floats(table, vocabulary, n);
            o.b.embedGradient(o.activation(d, t, n), o.indices(ids), 25.25f, dTable);
            return new float[][] {o.read(out), o.read(dTable)};
          });
    }
  }

  private void norms() {
    for (int[] s : new int[][] {{5, 20}, {130, 640}, {1111, 1152}, {70, 2560}}) {
      int t = s[0];
      int n = s[1];
      String size = t + "x" + n;
      SplittableRandom r = random();
      float[] x = Ops.normal(r, t * n, 2);
      float[] d = Ops.normal(r, t * n, 1);
      float[] residual = Ops.normal(r, t * n, 1);
      float[] w = Ops.normal(r, n, 0.5);
      add(
          "rms norm",
          size,
          BF16,
          o -> {
            Tensor rstd = o.floatOut(t, 1);
            Tensor out = o.out(t, n);
            Tensor weight = o.floats(w, 1, n);
            o.b.rmsNorm(o.activation(x, t, n), weight, 1e-6f, out, rstd);
            Tensor sum = o.activation(residual, t, n);
            o.b.rmsNormAdd(o.view(x, t, n, 8, 8), weight, 1e-6f, sum, sum, null);
            Tensor next = o.floats(Arrays.copyOf(d, n), 1, n);
            Tensor sum2 = o.out(t, n);
            Tensor h = o.view(d, t, n, 0, 8);
            Tensor rstd1 = o.floatOut(t, 1);
            Tensor rstd2 = o.floatOut(t, 1);
            Tensor old = o.activation(residual, t, n);
            o.b.rmsNormAddNorm(
                o.activation(x, t, n), weight, 1e-6f, old, sum2, rstd1, next, h, rstd2);
            return new float[][] {
              o.read(out),
              o.read(rstd),
              o.read(sum),
              o.read(sum2),
              o.read(h),
              o.read(rstd1),
              o.read(rstd2)
            };
          });
      add(
          "rms norm gradient",
          size,
          BF16_GRADIENT,
          o -> {
            Tensor rstd = o.floatOut(t, 1);
            Tensor weight = o.floats(w, 1, n);
            Tensor in = o.activation(x, t, n);
            o.b.rmsNorm(in, weight, 1e-6f, o.out(t, n), rstd);
            Tensor dx = o.out(t, n);
            Tensor dw = o.floats(w, 1, n);
            o.b.rmsNormGradient(o.activation(d, t, n), in, weight, rstd, 0, dx, dw);
            Tensor dx2 = o.activation(residual, t, n);
            o.b.rmsNormGradient(o.view(d, t, n, 8, 0), in, weight, rstd, 1, dx2, null);
            Tensor dx3 = o.activation(residual, t, n);
            Tensor next = o.floats(Arrays.copyOf(d, n), 1, n);
            Tensor in2 = o.view(residual, t, n, 8, 0);
            Tensor rstd2 = o.floatOut(t, 1);
            o.b.rmsNorm(in2, next, 1e-6f, o.out(t, n), rstd2);
            Tensor out = o.view(d, t, n, 0, 8);
            o.b.rmsNormGradients(
                o.view(d, t, n, 8, 0), in, weight, rstd, dx3, null, in2, next, rstd2, out, null);
            return new float[][] {o.read(dx), o.read(dw), o.read(dx2), o.read(dx3), o.read(out)};
          });
    }
    for (int[] s :
        new int[][] {{9, 3, 1, 12}, {130, 4, 1, 256}, {700, 8, 4, 64}, {65, 6, 2, 128}}) {
      int t = s[0];
      int heads = s[1];
      int kvHeads = s[2];
      int dim = s[3];
      String size = "%d tokens %d/%d heads of %d".formatted(t, heads, kvHeads, dim);
      SplittableRandom r = random();
      int width = (heads + 2 * kvHeads) * dim;
      float[] qkv = Ops.normal(r, t * width, 1);
      float[] qw = Ops.normal(r, dim, 0.3);
      float[] kw = Ops.normal(r, dim, 0.3);
      float[] dq = Ops.normal(r, t * heads * dim, 1);
      float[] dk = Ops.normal(r, t * kvHeads * dim, 1);
      float[] dQkv = Ops.normal(r, t * width, 1);
      int[] positions = Ops.integers(r, t, 300);
      float[] rope = new float[300 * dim];
      for (int p = 0; p < 300; p++) {
        for (int i = 0; i < dim / 2; i++) {
          double angle = p * Math.pow(10000, -2.0 * i / dim);
          rope[p * dim + i] = (float) Math.cos(angle);
          rope[p * dim + dim / 2 + i] = (float) Math.sin(angle);
        }
      }
      add(
          "q/k norm + rope, both ways",
          size,
          BF16_GRADIENT,
          o -> {
            Tensor in = o.activation(qkv, t, width);
            Tensor q = o.out(t, heads * dim);
            Tensor k = o.out(t, kvHeads * dim);
            Tensor rstd = o.floatOut(t, heads + kvHeads);
            Tensor table = o.floats(rope, 300, dim);
            Tensor wq = o.floats(qw, 1, dim);
            Tensor wk = o.floats(kw, 1, dim);
            o.b.qkNormRope(in, wq, wk, 1e-6f, o.indices(positions), table, q, k, rstd);
            Tensor gradient = o.activation(dQkv, t, width);
            Tensor gq = o.floats(qw, 1, dim);
            Tensor gk = o.floats(kw, 1, dim);
            o.b.qkNormRopeGradient(
                o.activation(dq, t, heads * dim),
                o.activation(dk, t, kvHeads * dim),
                in,
                wq,
                wk,
                o.indices(positions),
                table,
                rstd,
                gradient,
                gq,
                gk);
            return new float[][] {
              o.read(q), o.read(k), o.read(rstd), o.read(gradient), o.read(gq), o.read(gk)
            };
          });
    }
  }

  private void attention() {
    int[][] shapes = {
      {2, 1, 12, 0},
      {4, 1, 256, 0},
      {4, 1, 256, 100},
      {8, 4, 64, 0},
      {8, 4, 64, 64},
      {6, 2, 128, 0},
      {6, 2, 128, 70},
      {4, 2, 96, 33},
      {3, 3, 80, 0},
      {8, 2, 64, 0, 1}
    };
    int[] packed = {0, 1, 64, 200, 201, 613};
    // So long that the gradient keeps no scores between its halves.
    int[] one = {0, 4500};
    for (int[] s : shapes) {
      int[] starts = s.length > 4 ? one : packed;
      int t = starts[starts.length - 1];
      int heads = s[0];
      int kvHeads = s[1];
      int dim = s[2];
      int window = s[3];
      String size = "%d tokens %d/%d of %d window %d".formatted(t, heads, kvHeads, dim, window);
      SplittableRandom r = random();
      float[] q = Ops.normal(r, t * heads * dim, 1);
      float[] k = Ops.normal(r, t * kvHeads * dim, 1);
      float[] v = Ops.normal(r, t * kvHeads * dim, 1);
      float[] d = Ops.normal(r, t * heads * dim, 1);
      float scale = (float) (1 / Math.sqrt(dim));
      add(
          "attention",
          size,
          BF16,
          o -> {
            Tensor out = o.out(t, heads * dim);
            Tensor lse = o.floatOut(t, heads);
            o.b.attention(
                o.activation(q, t, heads * dim),
                o.activation(k, t, kvHeads * dim),
                o.view(v, t, kvHeads * dim, heads * dim, 0),
                o.indices(starts),
                dim,
                window,
                scale,
                out,
                lse);
            return new float[][] {o.read(out), o.read(lse)};
          });
      add(
          "attention gradient",
          size,
          BF16_GRADIENT,
          o -> {
            Tensor tq = o.activation(q, t, heads * dim);
            Tensor tk = o.activation(k, t, kvHeads * dim);
            Tensor tv = o.view(v, t, kvHeads * dim, heads * dim, 0);
            Tensor out = o.out(t, heads * dim);
            Tensor lse = o.floatOut(t, heads);
            var sequences = o.indices(starts);
            o.b.attention(tq, tk, tv, sequences, dim, window, scale, out, lse);
            Tensor dq = o.out(t, heads * dim);
            Tensor dk = o.out(t, kvHeads * dim);
            Tensor dv = o.view(new float[t * kvHeads * dim], t, kvHeads * dim, heads * dim, 0);
            o.b.attentionGradient(
                o.activation(d, t, heads * dim),
                tq,
                tk,
                tv,
                out,
                lse,
                sequences,
                dim,
                window,
                scale,
                dq,
                dk,
                dv);
            return new float[][] {o.read(dq), o.read(dk), o.read(dv)};
          });
    }
  }

  private void cached() {
    for (int[] s : new int[][] {{3, 1, 24, 0}, {4, 1, 256, 50}, {4, 2, 64, 0}, {8, 2, 128, 96}}) {
      int heads = s[0];
      int kvHeads = s[1];
      int dim = s[2];
      int window = s[3];
      SplittableRandom r = random();
      int[][] steps = {{70, 5, 130}, {1, 1, 1}, {3, 1, 90}};
      List<float[]> data = new ArrayList<>();
      for (int[] step : steps) {
        int t = Arrays.stream(step).sum();
        data.add(Ops.normal(r, t * heads * dim, 1));
        data.add(Ops.normal(r, t * kvHeads * dim, 1));
        data.add(Ops.normal(r, t * kvHeads * dim, 1));
      }
      float scale = (float) (1 / Math.sqrt(dim));
      add(
          "cached attention, 3 steps",
          "%d/%d of %d window %d".formatted(heads, kvHeads, dim, window),
          BF16,
          o -> {
            List<KeyValues> caches = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
              caches.add(o.keep(o.b.keyValues(2, kvHeads, dim, 230 + i)));
            }
            int[] past = new int[3];
            float[][] results = new float[steps.length + 1][];
            for (int i = 0; i < steps.length; i++) {
              int[] starts = {
                0, steps[i][0], steps[i][0] + steps[i][1], Arrays.stream(steps[i]).sum()
              };
              int t = starts[3];
              CacheBatch batch = o.keep(o.b.batch(caches, starts, past.clone()));
              Tensor k = o.activation(data.get(i * 3 + 1), t, kvHeads * dim);
              Tensor v = o.view(data.get(i * 3 + 2), t, kvHeads * dim, 8, 0);
              o.b.appendKeyValues(batch, 1, k, v);
              Tensor out = o.out(t, heads * dim);
              Tensor q = o.activation(data.get(i * 3), t, heads * dim);
              o.b.cachedAttention(batch, 1, q, dim, window, scale, out);
              results[i] = o.read(out);
              for (int c = 0; c < 3; c++) {
                past[c] += steps[i][c];
              }
            }
            KeyValues copy = o.keep(o.b.keyValues(2, kvHeads, dim, 80));
            o.b.copyKeyValues(caches.getFirst(), copy, 60);
            CacheBatch batch = o.keep(o.b.batch(List.of(copy), new int[] {0, 1}, new int[] {60}));
            Tensor one = o.activation(Arrays.copyOf(data.get(1), kvHeads * dim), 1, kvHeads * dim);
            o.b.appendKeyValues(batch, 1, one, one);
            Tensor out = o.out(1, heads * dim);
            Tensor q = o.activation(Arrays.copyOf(data.get(0), heads * dim), 1, heads * dim);
            o.b.cachedAttention(batch, 1, q, dim, window, scale, out);
            results[steps.length] = o.read(out);
            return results;
          });
    }
  }

  private void feedForward() {
    for (int[] s : new int[][] {{7, 13}, {300, 2048}}) {
      int t = s[0];
      int f = s[1];
      SplittableRandom r = random();
      float[] gateUp = Ops.normal(r, t * 2 * f, 2);
      float[] d = Ops.normal(r, t * f, 1);
      add(
          "geglu, both ways",
          t + "x" + f,
          BF16,
          o -> {
            Tensor in = o.activation(gateUp, t, 2 * f);
            Tensor out = o.out(t, f);
            o.b.geglu(in, out);
            Tensor gradient = o.out(t, 2 * f);
            o.b.gegluGradient(o.activation(d, t, f), in, gradient);
            Tensor gradient2 = o.out(t, 2 * f);
            Tensor again = o.out(t, f);
            o.b.gegluGradient(o.activation(d, t, f), in, gradient2, again);
            return new float[][] {o.read(out), o.read(gradient), o.read(gradient2), o.read(again)};
          });
      add(
          "dropout",
          t + "x" + f,
          BF16,
          o -> {
            Tensor out = o.out(t, f);
            o.b.dropout(o.activation(d, t, f), 0.05f, 1234567890123L, 0, out);
            Tensor same = o.activation(d, t, f);
            o.b.dropout(same, 0.5f, -77L, 0, same);
            Tensor added = o.activation(d, t, f);
            o.b.dropout(o.activation(d, t, f), 0.5f, -77L, 1, added);
            return new float[][] {o.read(out), o.read(same), o.read(added)};
          });
    }
  }

  private void training() {
    for (int[] s : new int[][] {{3, 11}, {40, 8192}, {9, 262144}}) {
      int n = s[0];
      int vocabulary = s[1];
      SplittableRandom r = random();
      float[] logits = Ops.normal(r, n * vocabulary, 3);
      float[] weights = new float[n];
      for (int i = 0; i < n; i++) {
        weights[i] = (i % 4) * 0.5f;
      }
      int[] targets = Ops.integers(r, n, vocabulary);
      add(
          "cross-entropy",
          n + "x" + vocabulary,
          BF16,
          o -> {
            Tensor z = o.activation(logits, n, vocabulary);
            Tensor losses = o.floatOut(n, 1);
            o.b.crossEntropy(z, o.indices(targets), o.floats(weights, n, 1), losses);
            return new float[][] {o.read(losses), o.read(z)};
          });
    }
    for (int n : new int[] {77, 1_000_003}) {
      SplittableRandom r = random();
      float[] p = Ops.normal(r, n, 1);
      float[] g = Ops.normal(r, n, 1);
      float[] m = Ops.normal(r, n, 0.1);
      float[] v = new float[n];
      for (int i = 0; i < n; i++) {
        v[i] = Math.abs(m[i]) * 0.1f;
      }
      add(
          "sum of squares",
          "" + n,
          FLOAT,
          o -> new float[][] {{(float) o.b.sumOfSquares(o.floats(g, 1, n))}});
      add(
          "adamw",
          "" + n,
          FLOAT,
          o -> {
            Tensor tp = o.floats(p, 1, n);
            Tensor tm = o.floats(m, 1, n);
            Tensor tv = o.floats(v, 1, n);
            AdamW step = new AdamW(1e-2f, 0.9f, 0.95f, 1e-8f, 0.1f, 3);
            o.b.adamW(tp, o.floats(g, 1, n), tm, tv, step, 0.5f);
            return new float[][] {o.read(tp), o.read(tm), o.read(tv)};
          });
    }
  }
}
