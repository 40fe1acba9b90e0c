package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.CacheBatch;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.LowRank;
import dev.reckoner.tensor.LowRankRows;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Tensor;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Steps in which every segment adds one token, on a backend that repeats steps: inputs and results
 * of each kind of step stay where they are.
 */
final class Decoder implements AutoCloseable {
  private static final int MOST_KINDS = 24;

  /**
   * The adapters of consecutive rows, by identity, as adapters have it; and whether the step goes
   * on to the logits of all rows or ends before the head.
   */
  private record Kind(List<InferencePlan.Group> groups, boolean logits) {}

  /**
   * @param h hidden states behind the final norm
   * @param logits null where the step ends before the head; picks likewise
   * @param adapters for each layer, those of each site; sites without any are missing
   */
  private record Step(
      Indices ids,
      Indices positions,
      CacheBatch batch,
      Tensor h,
      Tensor logits,
      Tensor picks,
      List<Map<Site, LowRankRows>> adapters)
      implements AutoCloseable {
    @Override
    public void close() {
      adapters.forEach(sites -> sites.values().forEach(LowRankRows::close));
      ids.close();
      positions.close();
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

  Decoder(Gemma3 model) {
    this.model = model;
    config = model.config();
    backend = model.backend();
  }

  /** Whether all segments add one token. */
  static boolean takes(List<Segment> segments) {
    return !segments.isEmpty() && segments.stream().allMatch(s -> s.tokens().length == 1);
  }

  /** Whether all segments want all logits. */
  static boolean wantsAll(List<Segment> segments) {
    return segments.stream().allMatch(s -> s.logits() == 1 && s.candidates() == null);
  }

  /** Hidden states behind the final norm, {@code [segments, hidden]}; not to be closed. */
  Tensor hidden(InferencePlan plan) {
    return run(plan, false).h();
  }

  /** The step's logits, {@code [segments, vocabulary]} in packed order; not to be closed. */
  Tensor logits(InferencePlan plan) {
    return run(plan, true).logits();
  }

  /** The step's most likely tokens, fp32 {@code [segments, 2]}; not to be closed. */
  Tensor picks(InferencePlan plan) {
    return run(plan, true).picks();
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
              backend.indices(plan.positions()),
              backend.batch(caches, plan.starts(), plan.past()),
              backend.activations(t, config.hidden()),
              logits ? backend.activations(t, config.vocabulary()) : null,
              logits ? backend.floats(t, 2) : null,
              adapters(plan));
      steps.put(kind, step);
    } else {
      backend.assign(step.ids(), plan.tokens());
      backend.assign(step.positions(), plan.positions());
      backend.assign(step.batch(), caches, plan.past());
    }
    Step chosen = step;
    backend.repeat(kind, () -> operations(plan, chosen));
    plan.segments().forEach(s -> s.cache().appended(1));
    return step;
  }

  private List<Map<Site, LowRankRows>> adapters(InferencePlan plan) {
    List<Map<Site, LowRankRows>> layers = new ArrayList<>();
    List<InferencePlan.Group> groups = plan.groups();
    int[] starts = new int[groups.size() + 1];
    for (int g = 0; g < groups.size(); g++) {
      starts[g + 1] = groups.get(g).to();
    }
    for (int l = 0; l < config.layers(); l++) {
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
      layers.add(sites);
    }
    return layers;
  }

  private void linear(Step step, Matrix w, int layer, Site site, Tensor x, Tensor y) {
    backend.linear(w, x, 1, 0, y);
    LowRankRows adapters = step.adapters().get(layer).get(site);
    if (adapters != null) {
      backend.addLowRank(adapters, x, y);
    }
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

  private void operations(InferencePlan plan, Step step) {
    ModelParts parts = model.parts();
    int t = plan.tokens().length;
    float eps = config.normEpsilon();
    List<Tensor> made = new ArrayList<>();
    Tensor x = keep(made, t, config.hidden());
    Tensor h = step.h();
    Tensor branch = keep(made, t, config.hidden());
    Tensor qkv = keep(made, t, config.queryWidth() + 2 * config.keyWidth());
    Tensor queries = keep(made, t, config.queryWidth());
    Tensor attended = keep(made, t, config.queryWidth());
    Tensor gateUp = keep(made, t, 2 * config.feedForward());
    Tensor activated = keep(made, t, config.feedForward());
    backend.embed(parts.embedding(), step.ids(), config.embeddingScale(), x);
    backend.rmsNorm(x, parts.layers().getFirst().inputNorm(), eps, h, null);
    for (int l = 0; l < config.layers(); l++) {
      Layer w = parts.layers().get(l);
      linear(step, w.qkv(), l, Site.QKV, h, qkv);
      backend.qkNormRopeAppend(
          qkv,
          w.qNorm(),
          w.kNorm(),
          eps,
          step.positions(),
          model.rope(l),
          step.batch(),
          l,
          queries);
      backend.cachedAttention(
          step.batch(),
          l,
          queries,
          config.headDim(),
          config.window(l),
          config.attentionScale(),
          attended);
      linear(step, w.o(), l, Site.O, attended, branch);
      backend.rmsNormAddNorm(
          branch, w.postAttentionNorm(), eps, x, x, null, w.preFeedForwardNorm(), h, null);
      if (step.adapters().get(l).get(Site.GATE_UP) == null) {
        backend.linearGeglu(w.gateUp(), h, activated);
      } else {
        linear(step, w.gateUp(), l, Site.GATE_UP, h, gateUp);
        backend.geglu(gateUp, activated);
      }
      linear(step, w.down(), l, Site.DOWN, activated, branch);
      Tensor next =
          l + 1 < config.layers() ? parts.layers().get(l + 1).inputNorm() : parts.finalNorm();
      backend.rmsNormAddNorm(branch, w.postFeedForwardNorm(), eps, x, x, null, next, h, null);
    }
    if (step.logits() != null) {
      backend.linear(parts.embedding(), h, 1, 0, step.logits());
      backend.mostLikely(step.logits(), step.picks());
    }
    made.reversed().forEach(Tensor::close);
  }

  private Tensor keep(List<Tensor> made, int rows, int columns) {
    Tensor t = backend.activations(rows, columns);
    made.add(t);
    return t;
  }

  @Override
  public void close() {
    steps.forEach(
        (kind, step) -> {
          backend.forget(kind);
          step.close();
        });
    steps.clear();
  }
}
