package dev.reckoner.cuda;

import dev.reckoner.cuda.OperationChecks.Check;
import dev.reckoner.gemma.Answer;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.KvCache;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.gemma.LoraSpec;
import dev.reckoner.gemma.PackedBatch;
import dev.reckoner.gemma.Parameters;
import dev.reckoner.gemma.Segment;
import dev.reckoner.gemma.Segment.Wanted;
import dev.reckoner.gemma.Target;
import dev.reckoner.gemma.TrainingPass;
import dev.reckoner.tensor.AdamW;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.Tensor;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** The model on both backends: losses, gradients after some steps, logits with a cache. */
final class ModelChecks {
  private static final double TOLERANCE = 4e-2;

  /** Of the layers that an adapter can have. */
  private static final List<Set<Target>> SOME =
      List.of(
          EnumSet.of(Target.DOWN_PROJ),
          EnumSet.of(Target.GATE_PROJ),
          EnumSet.of(Target.GATE_PROJ, Target.UP_PROJ),
          EnumSet.of(Target.O_PROJ, Target.DOWN_PROJ),
          EnumSet.of(Target.Q_PROJ, Target.V_PROJ));

  private ModelChecks() {}

  static GemmaConfig config(int headDim) {
    return config(headDim, 192, 448);
  }

  private static GemmaConfig config(int headDim, int hidden, int feedForward) {
    return config(headDim, hidden, feedForward, 4, 2);
  }

  private static GemmaConfig config(
      int headDim, int hidden, int feedForward, int heads, int kvHeads) {
    return new GemmaConfig(
        512,
        hidden,
        feedForward,
        3,
        heads,
        kvHeads,
        headDim,
        1024,
        48,
        GemmaConfig.pattern(3, 3),
        1e4,
        1e6,
        1,
        1e-6f,
        headDim);
  }

  static PackedBatch batch(SplittableRandom random, int vocabulary, int... lengths) {
    int[] starts = new int[lengths.length + 1];
    for (int i = 0; i < lengths.length; i++) {
      starts[i + 1] = starts[i] + lengths[i];
    }
    int t = starts[lengths.length];
    int[] tokens = Ops.integers(random, t, vocabulary);
    int[] rows = new int[t - lengths.length];
    int[] targets = new int[rows.length];
    float[] weights = new float[rows.length];
    int n = 0;
    for (int s = 0; s < lengths.length; s++) {
      for (int i = starts[s]; i + 1 < starts[s + 1]; i++, n++) {
        rows[n] = i;
        targets[n] = tokens[i + 1];
        weights[n] = 1f / rows.length;
      }
    }
    return new PackedBatch(tokens, starts, rows, targets, weights);
  }

  static List<Check> all(long seed) {
    List<Check> checks = new ArrayList<>();
    for (int headDim : new int[] {64, 128, 256}) {
      GemmaConfig config = config(headDim);
      PackedBatch batch = batch(new SplittableRandom(seed), 512, 100, 33, 190);
      String size = "3 layers, heads of " + headDim;
      checks.add(new Check("model full training", size, TOLERANCE, o -> full(o.b, config, batch)));
      checks.add(new Check("model QLoRA", size, TOLERANCE, o -> qlora(o.b, config, batch, false)));
      checks.add(
          new Check(
              "model QLoRA recompute", size, TOLERANCE, o -> qlora(o.b, config, batch, true)));
      checks.add(new Check("model logits", size, TOLERANCE, o -> logits(o.b, config, batch)));
      checks.add(
          new Check(
              "model decoding", size, TOLERANCE, o -> decoding(o.b, config(headDim, 256, 2304))));
    }
    for (boolean recompute : new boolean[] {false, true}) {
      for (float dropout : new float[] {0, 0.1f}) {
        PackedBatch batch = batch(new SplittableRandom(seed), 512, 200, 33, 90);
        checks.add(
            new Check(
                "model QLoRA beside" + (recompute ? " recompute" : ""),
                "dropout " + dropout,
                TOLERANCE,
                o -> beside(o.b, config(128, 256, 1152), batch, recompute, dropout)));
      }
    }
    for (int n : new int[] {12, 27, 64}) {
      checks.add(
          new Check(
              "model decoding",
              n + " sequences",
              TOLERANCE,
              o -> together(o.b, config(128, 320, 1088), n, 1)));
    }
    for (int n : new int[] {14, 25, 50, 64}) {
      checks.add(
          new Check(
              "model decoding",
              n + " sequences in runs of 5",
              TOLERANCE,
              o -> together(o.b, config(128, 320, 1088), n, 5)));
    }
    // Many keys in every split of attention, by head size, heads and heads that keys have.
    for (int[] shape : new int[][] {{256, 4, 1}, {128, 8, 1}, {256, 8, 1}, {64, 2, 2}}) {
      for (int n : new int[] {3, 40}) {
        GemmaConfig config = config(shape[0], 320, 1088, shape[1], shape[2]);
        checks.add(
            new Check(
                "model decoding",
                n + " long sequences, heads " + Arrays.toString(shape),
                TOLERANCE,
                o -> together(o.b, config, n, 4, EnumSet.allOf(Target.class), 700)));
      }
    }
    // Where a layer has adapters and the next has none, or the other way round.
    for (Set<Target> targets : SOME) {
      for (int n : new int[] {6, 50}) {
        checks.add(
            new Check(
                "model decoding",
                n + " sequences with adapters on " + targets,
                TOLERANCE,
                o -> together(o.b, config(128, 320, 1088), n, 4, targets, 90)));
      }
    }
    // So wide that not all that a block reads of 16 adapters has room beside its rows.
    Set<Target> all = EnumSet.allOf(Target.class);
    for (int[] shape : new int[][] {{64, 4}, {50, 3}, {33, 2}}) {
      checks.add(crowded(shape[0], shape[1], all));
    }
    checks.add(crowded(64, 4, EnumSet.of(Target.DOWN_PROJ)));
    checks.add(crowded(47, 3, EnumSet.of(Target.GATE_PROJ, Target.UP_PROJ)));
    return checks;
  }

  private static Check crowded(int n, int run, Set<Target> targets) {
    return new Check(
        "model decoding",
        n + " sequences under 16 adapters on " + targets,
        TOLERANCE,
        o -> crowded(o.b, config(256, 1152, 1088, 4, 1), n, run, targets));
  }

  private static float[][] full(Backend b, GemmaConfig config, PackedBatch batch) {
    try (Gemma3 model = Gemma3.randomTrainable(config, b, 5)) {
      TrainingPass pass = new TrainingPass(model, null, false);
      float[] before = pass.accumulate(batch, 1);
      Parameters p = model.parameters();
      List<float[]> results = new ArrayList<>();
      results.add(before);
      float[] gradients = new float[p.size()];
      b.download(p.gradients(), gradients);
      results.add(gradients);
      for (Parameters.Entry e : p.entries()) {
        if (e.name().contains("layers.1.")) {
          float[] part = new float[e.size()];
          System.arraycopy(gradients, Math.toIntExact(e.offset()), part, 0, part.length);
          results.add(part);
        }
      }
      step(b, p, 1e-3f);
      model.refresh();
      results.add(pass.losses(batch));
      return results.toArray(float[][]::new);
    }
  }

  private static void step(Backend b, Parameters p, float rate) {
    try (Tensor m = b.floats(1, p.size());
        Tensor v = b.floats(1, p.size())) {
      b.adamW(p.values(), p.gradients(), m, v, new AdamW(rate, 0.9f, 0.95f, 1e-8f, 0, 1), 1);
    }
    p.dropGradients();
  }

  private static float[][] qlora(
      Backend b, GemmaConfig config, PackedBatch batch, boolean recompute) {
    try (Gemma3 model = Gemma3.random(config, b, Precision.NF4, 5);
        LoraAdapter adapter = LoraAdapter.create(model, "a", LoraSpec.allLinear(8, 16), 9)) {
      TrainingPass pass = new TrainingPass(model, adapter, recompute);
      Parameters p = adapter.parameters();
      pass.accumulate(batch, 3);
      float[] first = new float[p.size()];
      b.download(p.gradients(), first);
      SplittableRandom random = new SplittableRandom(11);
      b.upload(Ops.normal(random, p.size(), 0.05), p.values());
      p.dropGradients();
      adapter.refresh();
      float[] losses = pass.accumulate(batch, 3);
      float[] second = new float[p.size()];
      b.download(p.gradients(), second);
      return new float[][] {losses, first, second};
    }
  }

  /** What a backend may run beside is run in order, beside, or beside and late. */
  private enum Order {
    IN_ORDER,
    BESIDE,
    LATE
  }

  /** Training steps must come to the same bits in every order. */
  private static float[][] beside(
      Backend b, GemmaConfig config, PackedBatch batch, boolean recompute, float dropout) {
    float[][] expected = steps(b, Order.IN_ORDER, config, batch, recompute, dropout);
    for (Order order : List.of(Order.BESIDE, Order.LATE)) {
      float[][] got = steps(b, order, config, batch, recompute, dropout);
      for (int i = 0; i < expected.length; i++) {
        require(Arrays.equals(expected[i], got[i]), "other bits " + order + ", result " + i);
      }
    }
    return new float[][] {expected[0], expected[1]};
  }

  private static float[][] steps(
      Backend measured,
      Order order,
      GemmaConfig config,
      PackedBatch batch,
      boolean recompute,
      float dropout) {
    LoraSpec all = LoraSpec.allLinear(8, 16);
    LoraSpec spec = new LoraSpec(8, 16, false, dropout, all.targets());
    try (Tensor busy = measured.name().equals("cuda") ? measured.floats(1 << 13, 1 << 13) : null;
        Gemma3 model = Gemma3.random(config, ordered(measured, order, busy), Precision.NF4, 5);
        LoraAdapter adapter = LoraAdapter.create(model, "a", spec, 9)) {
      Backend b = model.backend();
      TrainingPass pass = new TrainingPass(model, adapter, recompute);
      Parameters p = adapter.parameters();
      b.upload(Ops.normal(new SplittableRandom(11), p.size(), 0.05), p.values());
      adapter.refresh();
      List<float[]> results = new ArrayList<>();
      try (Tensor m = b.floats(1, p.size());
          Tensor v = b.floats(1, p.size())) {
        for (int step = 1; step <= 2; step++) {
          b.fill(p.gradients(), 0);
          results.add(pass.accumulate(batch, step));
          float[] gradients = new float[p.size()];
          b.download(p.gradients(), gradients);
          results.add(gradients);
          // A second batch onto the same gradients, with nothing between that waits.
          pass.accumulate(batch, step + 10);
          AdamW adamW = new AdamW(1e-3f, 0.9f, 0.95f, 1e-8f, 0, step);
          b.adamW(p.values(), p.gradients(), m, v, adamW, 1);
          adapter.refresh();
        }
      }
      float[] values = new float[p.size()];
      b.download(p.values(), values);
      results.add(values);
      return results.toArray(float[][]::new);
    }
  }

  /**
   * The backend with its work beside in the given order; late: each part behind half a millisecond
   * of filling {@code busy}, so that what does not wait for it comes before it.
   */
  private static Backend ordered(Backend b, Order order, Tensor busy) {
    InvocationHandler handler =
        (proxy, method, arguments) -> {
          switch (method.getName()) {
            case "beside" -> {
              Runnable operations = (Runnable) arguments[0];
              if (order == Order.IN_ORDER) {
                operations.run();
                return null;
              }
              b.beside(
                  () -> {
                    for (int i = 0; order == Order.LATE && busy != null && i < 8; i++) {
                      b.fill(busy, 0);
                    }
                    operations.run();
                  });
              return null;
            }
            case "prepare" -> {
              if (order == Order.IN_ORDER) {
                return null;
              }
            }
            default -> {}
          }
          try {
            return method.invoke(b, arguments);
          } catch (InvocationTargetException e) {
            throw e.getCause();
          }
        };
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, handler);
  }

  /**
   * Many steps of one token, over which a backend may record and repeat, with sequences and
   * adapters that come and go; a sequence alone must give the bits it gives in a batch.
   */
  private static float[][] decoding(Backend b, GemmaConfig config) {
    SplittableRandom random = new SplittableRandom(21);
    try (Gemma3 model = Gemma3.random(config, b, Precision.NF4, 5);
        LoraAdapter first = adapter(b, model, 31);
        LoraAdapter second = adapter(b, model, 32)) {
      LoraAdapter[] adapters = {null, first, second, first, null};
      List<KvCache> caches = new ArrayList<>();
      List<float[]> results = new ArrayList<>();
      int[] lengths = {1, 70, 130, 9, 40};
      for (int i = 0; i < lengths.length; i++) {
        caches.add(model.newCache(200));
        int[] prompt = Ops.integers(random, lengths[i], config.vocabulary());
        model.forward(List.of(Segment.of(caches.get(i), prompt, adapters[i])));
      }
      for (int step = 0; step < 12; step++) {
        List<Segment> segments = new ArrayList<>();
        int n = step % 4 == 3 ? 2 : 5;
        for (int i = 0; i < n; i++) {
          int[] token = {random.nextInt(config.vocabulary())};
          segments.add(Segment.of(caches.get(i), token, adapters[i]));
        }
        List<float[][]> logits = model.forward(segments);
        logits.forEach(l -> results.add(l[0]));
        // The same again, some of them with candidates alone, by picks and alone.
        List<Segment> some = new ArrayList<>();
        for (int i = 0; i < n; i++) {
          caches.get(i).truncate(caches.get(i).length() - 1);
          Segment s = segments.get(i);
          int[] candidates = i == 1 ? new int[] {3, 500, 77} : null;
          some.add(new Segment(s.cache(), s.tokens(), s.adapter(), i == 2 ? 0 : 1, candidates));
        }
        List<float[][]> again = model.forward(some);
        for (int i = 0; i < n; i++) {
          float[] row = logits.get(i)[0];
          float[] wanted = i == 1 ? new float[] {row[3], row[500], row[77]} : row;
          require(i == 2 || Arrays.equals(again.get(i)[0], wanted), "other logits the second time");
        }
        for (int i = 0; i < n; i++) {
          caches.get(i).truncate(caches.get(i).length() - 1);
        }
        answers(model, segments, logits, results);
        caches.getFirst().truncate(caches.getFirst().length() - 1);
        float[] alone = model.forward(segments.subList(0, 1)).getFirst()[0];
        if (!Arrays.equals(alone, logits.getFirst()[0])) {
          throw new IllegalStateException("a sequence alone differs from itself in a batch");
        }
      }
      caches.forEach(KvCache::close);
      return results.toArray(float[][]::new);
    }
  }

  /** Every kind of question, against the logits that the backend itself gave for the same step. */
  private static void answers(
      Gemma3 model, List<Segment> segments, List<float[][]> logits, List<float[]> results) {
    int vocabulary = model.config().vocabulary();
    int[] few = {3, 77, 500};
    int[] many = IntStream.range(0, vocabulary).filter(i -> i % 3 != 1).toArray();
    int[][] candidates = {null, few, many, null, few};
    Wanted[] wanted = {
      Wanted.MOST_LIKELY, Wanted.MOST_LIKELY, Wanted.MOST_LIKELY, Wanted.LIKELY, Wanted.LOGITS
    };
    for (boolean lists : new boolean[] {false, true}) {
      List<Segment> asking = new ArrayList<>();
      for (int i = 0; i < segments.size(); i++) {
        Segment s = segments.get(i);
        s.cache().truncate(s.cache().length() - (lists ? 1 : 0));
        int[] c = lists ? few : candidates[i];
        Wanted w = lists ? Wanted.MOST_LIKELY : wanted[i];
        asking.add(new Segment(s.cache(), s.tokens(), s.adapter(), 1, c, w));
      }
      List<Answer> answers = model.answer(asking);
      for (int i = 0; i < asking.size(); i++) {
        int[] c = asking.get(i).candidates();
        float[] row = logits.get(i)[0];
        float[] own = row;
        if (c != null) {
          own = new float[c.length];
          for (int k = 0; k < c.length; k++) {
            own[k] = row[c[k]];
          }
        }
        float[] result = checked(answers.get(i), own);
        if (result != null) {
          results.add(result);
        }
      }
    }
  }

  /**
   * A number to compare between backends, once the answer is right by the logits; null where these
   * say it all.
   */
  private static float[] checked(Answer answer, float[] own) {
    float top = Float.NEGATIVE_INFINITY;
    for (float v : own) {
      top = Math.max(top, v);
    }
    return switch (answer) {
      case Answer.MostLikely(int index, double logProbability) -> {
        require(own[index] == top, "not the most likely");
        double sum = 0;
        for (float v : own) {
          sum += Math.exp(v - (double) top);
        }
        require(Math.abs(logProbability + Math.log(sum)) < 1e-4, "probability " + logProbability);
        // The probability: of a logarithm near zero nothing is left in relative terms.
        yield new float[] {(float) Math.exp(logProbability)};
      }
      case Answer.Logits(float[][] rows) -> {
        require(Arrays.equals(rows[0], own), "other logits");
        yield null;
      }
      case Answer.Likely likely -> {
        int n = 0;
        for (int i = 0; i < own.length; i++) {
          if (own[i] >= likely.floor()) {
            require(likely.ids()[n] == i && likely.logits()[n] == own[i], "likely token " + i);
            n++;
          }
        }
        require(n == likely.ids().length && likely.floor() < top - 30, n + " likely tokens");
        require(Arrays.equals(likely.all().get(), own), "other logits behind the likely");
        yield new float[] {n == 0 ? Float.NaN : top};
      }
      case Answer.None() -> throw new IllegalStateException("no answer");
    };
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new IllegalStateException(message);
    }
  }

  /**
   * Many sequences, {@code run} at a time under the same of several adapters; alone one must give
   * the bits it gives among them.
   */
  private static float[][] together(Backend b, GemmaConfig config, int n, int run) {
    return together(b, config, n, run, EnumSet.allOf(Target.class), 90);
  }

  private static float[][] together(
      Backend b, GemmaConfig config, int n, int run, Set<Target> targets, int longest) {
    try (Gemma3 model = Gemma3.random(config, b, Precision.NF4, 5);
        LoraAdapter first = adapter(b, model, 31, run == 1 ? 8 : 16, targets);
        LoraAdapter second = adapter(b, model, 32, run == 1 ? 8 : 16, targets);
        LoraAdapter third = adapter(b, model, 33, n == 27 ? 6 : 16, targets)) {
      LoraAdapter[] adapters = {first, null, second, third};
      return together(model, adapters, n, run, longest);
    }
  }

  /** Under each of 16 adapters and none. */
  private static float[][] crowded(
      Backend b, GemmaConfig config, int n, int run, Set<Target> targets) {
    LoraAdapter[] adapters = new LoraAdapter[17];
    try (Gemma3 model = Gemma3.random(config, b, Precision.NF4, 5)) {
      try {
        for (int i = 0; i < 16; i++) {
          adapters[i] = adapter(b, model, 40 + i, 16, targets);
        }
        return together(model, adapters, n, run, 40);
      } finally {
        for (int i = 0; i < 16 && adapters[i] != null; i++) {
          adapters[i].close();
        }
      }
    }
  }

  private static float[][] together(
      Gemma3 model, LoraAdapter[] adapters, int n, int run, int longest) {
    SplittableRandom random = new SplittableRandom(22 + n);
    int vocabulary = model.config().vocabulary();
    List<KvCache> caches = new ArrayList<>();
    List<float[]> results = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      caches.add(model.newCache(longest + 30));
      int[] prompt = Ops.integers(random, 1 + random.nextInt(longest), vocabulary);
      LoraAdapter adapter = adapters[i / run % adapters.length];
      model.forward(List.of(Segment.of(caches.get(i), prompt, adapter)));
    }
    for (int step = 0; step < 3; step++) {
      List<Segment> segments = new ArrayList<>();
      for (int i = 0; i < n; i++) {
        int[] token = {random.nextInt(vocabulary)};
        segments.add(Segment.of(caches.get(i), token, adapters[i / run % adapters.length]));
      }
      List<float[][]> logits = model.forward(segments);
      logits.forEach(l -> results.add(l[0]));
      int one = random.nextInt(n);
      caches.get(one).truncate(caches.get(one).length() - 1);
      float[] alone = model.forward(List.of(segments.get(one))).getFirst()[0];
      if (!Arrays.equals(alone, logits.get(one)[0])) {
        throw new IllegalStateException(
            "sequence " + one + " alone differs from itself in a batch");
      }
    }
    caches.forEach(KvCache::close);
    return results.toArray(float[][]::new);
  }

  private static LoraAdapter adapter(Backend b, Gemma3 model, long seed) {
    return adapter(b, model, seed, 8, EnumSet.allOf(Target.class));
  }

  private static LoraAdapter adapter(
      Backend b, Gemma3 model, long seed, int rank, Set<Target> targets) {
    LoraSpec spec = new LoraSpec(rank, 16, false, 0, targets);
    LoraAdapter adapter = LoraAdapter.create(model, "d" + seed, spec, seed);
    int size = adapter.parameters().size();
    b.upload(Ops.normal(new SplittableRandom(seed), size, 0.05), adapter.parameters().values());
    adapter.refresh();
    return adapter;
  }

  private static float[][] logits(Backend b, GemmaConfig config, PackedBatch batch) {
    try (Gemma3 model = Gemma3.random(config, b, Precision.NF4, 5);
        KvCache one = model.newCache(200);
        KvCache two = model.newCache(100)) {
      int[] tokens = batch.tokens();
      List<float[]> results = new ArrayList<>();
      int at = 0;
      for (int n : new int[] {70, 1, 1, 20}) {
        int[] a = Arrays.copyOfRange(tokens, at, at + n);
        int[] c = Arrays.copyOfRange(tokens, 100 + at, 101 + at);
        at += n;
        List<float[][]> logits =
            model.forward(List.of(Segment.of(one, a, null), Segment.of(two, c, null)));
        results.add(logits.get(0)[0]);
        results.add(logits.get(1)[0]);
      }
      return results.toArray(float[][]::new);
    }
  }
}
