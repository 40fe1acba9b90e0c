package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.CacheBatch;
import dev.reckoner.tensor.DecoderStack;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.LowRank;
import dev.reckoner.tensor.LowRankRows;
import dev.reckoner.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Steps in which every segment adds one token, on a backend that decodes: inputs and results of
 * each kind of step stay where they are. Of the logits only what was asked for is read back.
 */
final class Decoder implements AutoCloseable {
  private static final int MOST_KINDS = 24;

  /** Candidates up to which, if they are few, their logits alone are computed. */
  private static final int LISTED = 1024;

  /** Nats below the most likely token down to which {@link Answer.Likely} goes. */
  private static final float REACH = 40;

  /** The most tokens of an {@link Answer.Likely}; of more, all logits are read. */
  private static final int MOST_LIKELY = 4096;

  /**
   * The adapters of consecutive rows, by identity, as adapters have it; and whether the step goes
   * on to the logits of all rows or ends before the head.
   */
  private record Kind(List<InferencePlan.Group> groups, boolean logits) {}

  /**
   * @param h hidden states behind the final norm
   * @param logits null where the step ends before the head; picks likewise
   */
  private record Step(
      Indices ids, CacheBatch batch, Tensor h, Tensor logits, Tensor picks, DecoderStack stack)
      implements AutoCloseable {
    @Override
    public void close() {
      for (DecoderStack.Layer layer : stack.layers()) {
        DecoderStack.Adapters a = layer.adapters();
        for (LowRankRows rows : Arrays.asList(a.qkv(), a.o(), a.gateUp(), a.down())) {
          if (rows != null) {
            rows.close();
          }
        }
      }
      ids.close();
      batch.close();
      h.close();
      if (logits != null) {
        logits.close();
        picks.close();
      }
    }
  }

  private final Gemma3 model;
  private final GemmaConfig config;
  private final Backend backend;
  private final Map<Kind, Step> steps = new LinkedHashMap<>(16, 0.75f, true);
  private int most = -1;
  private int[] masked;
  private Indices mask;

  Decoder(Gemma3 model) {
    this.model = model;
    config = model.config();
    backend = model.backend();
  }

  /** Whether the backend has steps of one token for this model. */
  boolean works() {
    if (most < 0) {
      most = backend.mostDecoded(stack(List.of()));
    }
    return most > 0;
  }

  /**
   * @param segments of one token each
   */
  List<Answer> answer(List<Segment> segments) {
    if (segments.size() <= most) {
      InferencePlan plan = InferencePlan.of(segments);
      return plan.inCallersOrder(new Questions(plan).answers(false));
    }
    List<Answer> answers = new ArrayList<>();
    for (int from = 0; from < segments.size(); from += most) {
      InferencePlan plan =
          InferencePlan.of(segments.subList(from, Math.min(segments.size(), from + most)));
      // The next part may write where this one's logits are.
      answers.addAll(plan.inCallersOrder(new Questions(plan).answers(true)));
    }
    return answers;
  }

  private boolean listed(Segment s) {
    return s.logits() == 1
        && s.candidates() != null
        && s.candidates().length <= Math.min(LISTED, config.vocabulary() / 4);
  }

  /** What the segments of one step ask, in packed order: a row each. */
  private final class Questions {
    private final List<Segment> segments;
    private final int rows;
    private final Step step;

    Questions(InferencePlan plan) {
      segments = plan.segments();
      rows = segments.size();
      step = run(plan, segments.stream().anyMatch(s -> s.logits() == 1 && !listed(s)));
    }

    List<Answer> answers(boolean whole) {
      Answer[] answers = new Answer[rows];
      Arrays.fill(answers, new Answer.None());
      ofLists(answers);
      if (step.logits() != null) {
        float[] picks = null;
        for (int r = 0; r < rows; r++) {
          Segment s = segments.get(r);
          if (s.logits() == 0 || listed(s)) {
            continue;
          }
          if (s.wanted() == Segment.Wanted.LOGITS || (whole && s.candidates() == null)) {
            answers[r] = Answer.of(s, new float[][] {among(s, logits(r))});
          } else if (s.candidates() != null) {
            answers[r] = ofMask(s, r);
          } else {
            picks = picks == null ? read(step.picks()) : picks;
            answers[r] =
                s.wanted() == Segment.Wanted.LIKELY
                    ? likely(r, picks[2 * r + 1])
                    : new Answer.MostLikely((int) picks[2 * r], picks[2 * r + 1]);
          }
        }
      }
      return Arrays.asList(answers);
    }

    /** Segments with few candidates: their logits alone, side by side. */
    private void ofLists(Answer[] answers) {
      int[] starts = new int[rows + 1];
      for (int r = 0; r < rows; r++) {
        Segment s = segments.get(r);
        starts[r + 1] = starts[r] + (listed(s) ? s.candidates().length : 0);
      }
      if (starts[rows] == 0) {
        return;
      }
      int[] all = new int[starts[rows]];
      for (int r = 0; r < rows; r++) {
        if (starts[r + 1] > starts[r]) {
          int[] own = segments.get(r).candidates();
          System.arraycopy(own, 0, all, starts[r], own.length);
        }
      }
      try (Indices ids = backend.indices(all);
          Indices from = backend.indices(starts);
          Tensor scores = backend.activations(rows, all.length);
          Tensor picks = backend.floats(rows, 2)) {
        backend.linearRows(model.parts().embedding(), ids, step.h(), scores);
        backend.mostLikelyAmong(scores, from, picks);
        float[] picked = null;
        for (int r = 0; r < rows; r++) {
          if (starts[r + 1] == starts[r]) {
            continue;
          }
          if (segments.get(r).wanted() == Segment.Wanted.LOGITS) {
            float[] own = read(scores.rows(r, r + 1).columns(starts[r], starts[r + 1]));
            answers[r] = new Answer.Logits(new float[][] {own});
          } else {
            picked = picked == null ? read(picks) : picked;
            answers[r] = new Answer.MostLikely((int) picked[2 * r], picked[2 * r + 1]);
          }
        }
      }
    }

    /** The most likely of many candidates. */
    private Answer ofMask(Segment s, int row) {
      try (Tensor picks = backend.floats(1, 2)) {
        backend.mostLikely(step.logits().rows(row, row + 1), mask(s.candidates()), picks);
        float[] pick = read(picks);
        return new Answer.MostLikely(Arrays.binarySearch(s.candidates(), (int) pick[0]), pick[1]);
      }
    }

    private Answer likely(int row, float logProbability) {
      Tensor logits = step.logits().rows(row, row + 1);
      try (Tensor found = backend.floats(1, 2 + 2 * MOST_LIKELY)) {
        backend.likely(logits, step.picks().rows(row, row + 1), REACH, found);
        float[] values = read(found);
        int n = (int) values[0];
        if (n > MOST_LIKELY || !Float.isFinite(logProbability)) {
          return Answer.Likely.of(logits(row));
        }
        long[] order = new long[n];
        for (int i = 0; i < n; i++) {
          order[i] =
              (long) Float.floatToRawIntBits(values[2 + 2 * i]) << 32
                  | Float.floatToRawIntBits(values[3 + 2 * i]) & 0xffffffffL;
        }
        Arrays.sort(order);
        int[] ids = new int[n];
        float[] scores = new float[n];
        for (int i = 0; i < n; i++) {
          ids[i] = (int) (order[i] >>> 32);
          scores[i] = Float.intBitsToFloat((int) order[i]);
        }
        return new Answer.Likely(ids, scores, values[1], () -> logits(row));
      }
    }

    private static float[] among(Segment s, float[] all) {
      if (s.candidates() == null) {
        return all;
      }
      float[] own = new float[s.candidates().length];
      for (int i = 0; i < own.length; i++) {
        own[i] = all[s.candidates()[i]];
      }
      return own;
    }

    private float[] logits(int row) {
      return read(step.logits().rows(row, row + 1));
    }

    private float[] read(Tensor t) {
      float[] values = new float[Math.toIntExact(t.size())];
      backend.download(t, values);
      return values;
    }
  }

  /** A bit for each token; a list comes again and again, so the last one's is kept. */
  private Indices mask(int[] candidates) {
    if (masked != candidates) {
      int[] bits = new int[(config.vocabulary() + 31) / 32];
      for (int id : candidates) {
        bits[id >> 5] |= 1 << id;
      }
      closeMask();
      mask = backend.indices(bits);
      masked = candidates;
    }
    return mask;
  }

  private void closeMask() {
    if (mask != null) {
      mask.close();
      mask = null;
      masked = null;
    }
  }

  private Step run(InferencePlan plan, boolean logits) {
    Kind kind = new Kind(plan.groups(), logits);
    List<KeyValues> caches = plan.stores();
    Step step = steps.get(kind);
    if (step == null) {
      makeRoom();
      int t = plan.tokens().length;
      step =
          new Step(
              backend.indices(plan.tokens()),
              backend.batch(caches, plan.starts(), plan.past()),
              backend.activations(t, config.hidden()),
              logits ? backend.activations(t, config.vocabulary()) : null,
              logits ? backend.floats(t, 2) : null,
              stack(plan.groups()));
      steps.put(kind, step);
    } else {
      backend.assign(step.ids(), plan.tokens());
      backend.assign(step.batch(), caches, plan.past());
    }
    Step chosen = step;
    backend.repeat(kind, () -> operations(chosen));
    plan.segments().forEach(s -> s.cache().appended(1));
    return step;
  }

  private void operations(Step step) {
    backend.decode(step.stack(), step.ids(), step.batch(), step.h());
    if (step.logits() != null) {
      backend.linear(model.parts().embedding(), step.h(), 1, 0, step.logits());
      backend.mostLikely(step.logits(), null, step.picks());
    }
  }

  private DecoderStack stack(List<InferencePlan.Group> groups) {
    int[] starts = new int[groups.size() + 1];
    for (int g = 0; g < groups.size(); g++) {
      starts[g + 1] = groups.get(g).to();
    }
    List<DecoderStack.Layer> layers = new ArrayList<>();
    for (int l = 0; l < config.layers(); l++) {
      layers.add(layer(l, adapters(l, groups, starts)));
    }
    return new DecoderStack(
        model.parts().embedding(),
        config.embeddingScale(),
        config.headDim(),
        config.attentionScale(),
        config.normEpsilon(),
        layers,
        model.parts().finalNorm());
  }

  private Map<Site, LowRankRows> adapters(int l, List<InferencePlan.Group> groups, int[] starts) {
    Map<Site, LowRankRows> sites = new EnumMap<>(Site.class);
    for (Site site : Site.values()) {
      List<LowRank> adapters = new ArrayList<>();
      for (InferencePlan.Group group : groups) {
        LoraAdapter.SiteAdapter at = group.adapter() == null ? null : group.adapter().at(l, site);
        adapters.add(at == null ? null : at.lowRank(group.adapter().spec().scale()));
      }
      if (adapters.stream().anyMatch(Objects::nonNull)) {
        sites.put(site, backend.lowRankRows(adapters, starts));
      }
    }
    return sites;
  }

  private DecoderStack.Layer layer(int l, Map<Site, LowRankRows> adapters) {
    Layer w = model.parts().layers().get(l);
    return new DecoderStack.Layer(
        w.inputNorm(),
        w.qkv(),
        w.qNorm(),
        w.kNorm(),
        model.rope(l),
        config.window(l),
        w.o(),
        w.postAttentionNorm(),
        w.preFeedForwardNorm(),
        w.gateUp(),
        w.down(),
        w.postFeedForwardNorm(),
        new DecoderStack.Adapters(
            adapters.get(Site.QKV),
            adapters.get(Site.O),
            adapters.get(Site.GATE_UP),
            adapters.get(Site.DOWN)));
  }

  private void makeRoom() {
    Iterator<Map.Entry<Kind, Step>> oldest = steps.entrySet().iterator();
    while (steps.size() >= MOST_KINDS) {
      Map.Entry<Kind, Step> entry = oldest.next();
      backend.forget(entry.getKey());
      entry.getValue().close();
      oldest.remove();
    }
  }

  @Override
  public void close() {
    steps.forEach(
        (kind, step) -> {
          backend.forget(kind);
          step.close();
        });
    steps.clear();
    closeMask();
  }
}
