package dev.reckoner.tuning;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Examples to train on and examples to evaluate on; no prompt is in both. */
public record Division<E extends Example>(List<E> training, List<E> heldOut) {

  /**
   * Holds out whole prompts, drawn by the recipe's seed, up to the recipe's share of the examples.
   */
  public static <E extends Example> Division<E> of(List<E> examples, Recipe recipe) {
    Map<String, List<E>> byPrompt = new LinkedHashMap<>();
    for (E example : examples) {
      byPrompt
          .computeIfAbsent(Arrays.toString(example.prompt()), p -> new ArrayList<>())
          .add(example);
    }
    List<List<E>> groups = new ArrayList<>(byPrompt.values());
    Collections.shuffle(groups, new Random(recipe.seed()));
    int room = (int) (recipe.heldOut() * examples.size());
    List<E> heldOut = new ArrayList<>();
    List<List<E>> rest = new ArrayList<>();
    for (List<E> group : groups) {
      if (group.size() <= room - heldOut.size()) {
        heldOut.addAll(group);
      } else {
        rest.add(group);
      }
    }
    List<E> training = rest.stream().flatMap(Collection::stream).toList();
    return new Division<>(recipe.heldOut() == 0 ? examples : training, heldOut);
  }
}
