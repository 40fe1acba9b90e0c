package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * The segments of one step laid out as packed rows: those with the same adapter side by side, so
 * that an adapter is applied to one range of rows.
 *
 * @param segments in packed order
 * @param order place of each packed segment in the caller's list
 * @param logitRows packed rows whose logits are wanted
 */
record InferencePlan(
    List<Segment> segments,
    int[] order,
    int[] tokens,
    int[] positions,
    int[] starts,
    int[] past,
    int[] logitRows,
    List<Group> groups) {

  /** Packed rows {@code [from, to)} under one adapter. */
  record Group(LoraAdapter adapter, int from, int to) {}

  static InferencePlan of(List<Segment> given) {
    Map<LoraAdapter, Integer> rank = new IdentityHashMap<>();
    given.forEach(s -> rank.putIfAbsent(s.adapter(), rank.size()));
    Integer[] order = new Integer[given.size()];
    Arrays.setAll(order, i -> i);
    Arrays.sort(
        order,
        (a, b) ->
            Integer.compare(rank.get(given.get(a).adapter()), rank.get(given.get(b).adapter())));
    List<Segment> segments = new ArrayList<>();
    int total = 0;
    int wanted = 0;
    for (int i : order) {
      segments.add(given.get(i));
      total += given.get(i).tokens().length;
      wanted += given.get(i).logits();
    }
    int[] tokens = new int[total];
    int[] positions = new int[total];
    int[] starts = new int[segments.size() + 1];
    int[] past = new int[segments.size()];
    int[] logitRows = new int[wanted];
    List<Group> groups = new ArrayList<>();
    int row = 0;
    int logit = 0;
    for (int s = 0; s < segments.size(); s++) {
      Segment segment = segments.get(s);
      past[s] = segment.cache().length();
      for (int i = 0; i < segment.tokens().length; i++) {
        tokens[row + i] = segment.tokens()[i];
        positions[row + i] = past[s] + i;
      }
      int from = row;
      row += segment.tokens().length;
      starts[s + 1] = row;
      for (int i = row - segment.logits(); i < row; i++) {
        logitRows[logit++] = i;
      }
      if (!groups.isEmpty() && groups.getLast().adapter == segment.adapter()) {
        from = groups.removeLast().from;
      }
      groups.add(new Group(segment.adapter(), from, row));
    }
    return new InferencePlan(
        segments,
        Arrays.stream(order).mapToInt(i -> i).toArray(),
        tokens,
        positions,
        starts,
        past,
        logitRows,
        groups);
  }

  List<KeyValues> stores() {
    return segments.stream().map(s -> s.cache().store()).toList();
  }

  /** {@code y = W x}, plus each group's adapter on its rows. */
  void linear(Backend backend, Matrix w, int layer, Site site, Tensor x, Tensor y) {
    backend.linear(w, x, 1, 0, y);
    for (Group group : groups) {
      LoraAdapter.SiteAdapter adapter =
          group.adapter == null ? null : group.adapter.at(layer, site);
      if (adapter != null) {
        try (Tensor u = backend.activations(group.to - group.from, adapter.ranks())) {
          backend.linear(adapter.a(), x.rows(group.from, group.to), 1, 0, u);
          for (LoraAdapter.Part part : adapter.parts()) {
            backend.linear(
                part.b(),
                u.columns(part.fromRank(), part.toRank()),
                group.adapter.spec().scale(),
                1,
                y.rows(group.from, group.to).columns(part.fromColumn(), part.toColumn()));
          }
        }
      }
    }
  }

  /** Values given in packed order, as the caller listed the segments. */
  <T> List<T> inCallersOrder(List<T> packed) {
    List<T> result = new ArrayList<>(packed);
    for (int i = 0; i < order.length; i++) {
      result.set(order[i], packed.get(i));
    }
    return result;
  }
}
