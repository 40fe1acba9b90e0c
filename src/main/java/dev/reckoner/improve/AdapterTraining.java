package dev.reckoner.improve;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tuning.Division;
import dev.reckoner.tuning.Outcome;
import dev.reckoner.tuning.PreferencePair;
import dev.reckoner.tuning.Recipe;
import dev.reckoner.tuning.RecipeException;
import dev.reckoner.tuning.Sample;
import dev.reckoner.tuning.StepMetrics;
import dev.reckoner.tuning.Trainer;
import dev.reckoner.tuning.TrainingDivergedException;
import dev.reckoner.tuning.TrainingListener;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;

/**
 * Trains one adapter, or with mode full a whole model, from recipes, a model directory and files of
 * samples or preference pairs; knows no database. Always from the base, never on top of another
 * adapter, so that an adapter is what its dataset says and no more.
 */
public final class AdapterTraining {

  private static final long SHARD_BYTES = 4_000_000_000L;
  private static final List<String> COMPANIONS =
      List.of("tokenizer.json", "tokenizer_config.json", "generation_config.json");

  /**
   * One part of a training; the next goes on from its parameters, with an optimiser of its own.
   *
   * @param data JSON Lines: {@link TrainingFile}, or {@link PreferenceFile} with objective dpo
   * @param out directory of metrics and checkpoint, from which an interrupted phase goes on
   */
  public record Phase(Recipe recipe, Path data, Path out) {}

  /**
   * What a phase did.
   *
   * @param examples samples or pairs it learned from
   * @param tooLong those that were longer than the recipe or the model takes, and left out
   */
  public record PhaseResult(
      Recipe.Objective objective, int examples, int tooLong, Outcome outcome) {}

  /**
   * What a training made.
   *
   * @param adapter directory of the PEFT files, with mode full of a checkpoint
   * @param phases as far as they came
   */
  public record Trained(
      Path adapter, String baseModelHash, String backend, List<PhaseResult> phases) {

    /** How the last phase ended. */
    public Outcome outcome() {
      return phases.getLast().outcome();
    }
  }

  private AdapterTraining() {}

  /**
   * Trains, or goes on from the checkpoints.
   *
   * @param model directory of a Gemma 3 checkpoint
   * @param backend closed at the end
   * @param phases one after the other, on the same adapter
   * @param to directory of the result, {@code to/<id>}; written, too, where training diverges and
   *     there is something to go back to
   * @param id of the adapter
   * @param listener steps are counted over the phases
   */
  public static Trained train(
      Path model,
      Backend backend,
      List<Phase> phases,
      Path to,
      String id,
      TrainingListener listener) {
    Recipe recipe = phases.getFirst().recipe();
    boolean full = recipe.mode() == Recipe.Mode.FULL;
    for (Phase phase : phases) {
      if (phase.recipe().mode() != recipe.mode()
          || !full && !phase.recipe().lora().equals(recipe.lora())) {
        throw new RecipeException(
            "two phases train one adapter: mode, rank, alpha, rsLora, dropout and targets must be"
                + " the same in both recipes");
      }
    }
    try (backend;
        GemmaTokenizer tokenizer = GemmaTokenizer.read(model);
        Gemma3 base = open(model, backend, recipe.mode());
        LoraAdapter adapter =
            full ? null : LoraAdapter.create(base, id, recipe.lora(), recipe.seed())) {
      String hash = base.hash();
      List<PhaseResult> results = new ArrayList<>();
      long before = 0;
      try {
        for (Phase phase : phases) {
          PhaseResult result =
              train(
                  phase,
                  tokenizer,
                  base,
                  adapter,
                  before == 0 ? listener : after(before, listener));
          results.add(result);
          before += result.outcome().steps();
          if (result.outcome().end() == Outcome.End.INTERRUPTED) {
            break;
          }
        }
      } catch (TrainingDivergedException e) {
        if (e.keptStep() > 0) {
          save(base, adapter, model, to.resolve(id));
        }
        throw e;
      }
      save(base, adapter, model, to.resolve(id));
      return new Trained(to.resolve(id), hash, backend.name(), List.copyOf(results));
    }
  }

  private static Gemma3 open(Path model, Backend backend, Recipe.Mode mode) {
    return switch (mode) {
      case FULL -> Gemma3.loadTrainable(model, backend);
      case LORA -> Gemma3.load(model, backend, Precision.BF16);
      case QLORA -> Gemma3.load(model, backend, Precision.NF4);
    };
  }

  private static PhaseResult train(
      Phase phase,
      GemmaTokenizer tokenizer,
      Gemma3 base,
      LoraAdapter adapter,
      TrainingListener listener) {
    Recipe recipe = phase.recipe();
    int budget = recipe.tokensPerMicroBatch();
    int positions = base.config().maxPositions();
    try (Trainer trainer = new Trainer(base, adapter, recipe)) {
      if (recipe.objective() == Recipe.Objective.DPO) {
        PreferenceFile file = PreferenceFile.read(phase.data(), tokenizer, budget, positions);
        requireSome(file.pairs(), phase.data(), budget);
        Division<PreferencePair> pairs = Division.of(file.pairs(), recipe);
        requireHeldOut(pairs, recipe);
        Outcome outcome = trainer.prefer(pairs.training(), pairs.heldOut(), phase.out(), listener);
        return new PhaseResult(
            recipe.objective(), pairs.training().size(), file.tooLong(), outcome);
      }
      int longest = Math.min(budget, positions);
      TrainingFile file = TrainingFile.read(phase.data(), tokenizer, longest);
      requireSome(file.samples(), phase.data(), longest);
      Division<Sample> samples = Division.of(file.samples(), recipe);
      requireHeldOut(samples, recipe);
      Outcome outcome = trainer.run(samples.training(), samples.heldOut(), phase.out(), listener);
      return new PhaseResult(
          recipe.objective(), samples.training().size(), file.tooLong(), outcome);
    }
  }

  private static void requireSome(List<?> examples, Path data, int longest) {
    if (examples.isEmpty()) {
      throw new ImprovementException(
          "%s has nothing of at most %d tokens to train on".formatted(data, longest));
    }
  }

  private static void requireHeldOut(Division<?> division, Recipe recipe) {
    if (recipe.patience() > 0 && division.heldOut().isEmpty()) {
      throw new RecipeException(
          "patience stops by held-out examples, and heldOut: %s of %d leaves none; raise heldOut or"
                  .formatted(recipe.heldOut(), division.training().size())
              + " set patience to 0");
    }
  }

  /** Counts the steps of an earlier phase in. */
  private static TrainingListener after(long before, TrainingListener listener) {
    return new TrainingListener() {
      @Override
      public void reference(int donePairs, int pairs) {
        listener.reference(donePairs, pairs);
      }

      @Override
      public void step(StepMetrics m) {
        listener.step(m.after(before));
      }

      @Override
      public void evaluated(long step, double loss, boolean best) {
        listener.evaluated(before + step, loss, best);
      }

      @Override
      public boolean stopRequested() {
        return listener.stopRequested();
      }
    };
  }

  private static void save(Gemma3 base, LoraAdapter adapter, Path model, Path to) {
    if (adapter != null) {
      adapter.save(to, model.getFileName().toString());
      return;
    }
    base.save(to, DType.BF16, SHARD_BYTES);
    try {
      for (String name : COMPANIONS) {
        if (Files.exists(model.resolve(name))) {
          Files.copy(model.resolve(name), to.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(to + " could not be written", e);
    }
  }
}
