package dev.reckoner.improve;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tuning.Outcome;
import dev.reckoner.tuning.Recipe;
import dev.reckoner.tuning.Trainer;
import dev.reckoner.tuning.TrainingListener;
import java.nio.file.Path;
import java.util.List;

/**
 * Trains one adapter from a recipe, a model directory and samples; knows no database. Always from
 * the base, never on top of another adapter, so that an adapter is what its dataset says and no
 * more.
 */
public final class AdapterTraining {

  /**
   * What a training made.
   *
   * @param adapter directory of the PEFT files
   * @param tooLong samples that were longer than the recipe or the model takes, and left out
   */
  public record Trained(
      Path adapter,
      String baseModelHash,
      String backend,
      int samples,
      int tooLong,
      Outcome outcome) {}

  private AdapterTraining() {}

  /**
   * Trains, or goes on from the checkpoint in {@code out}.
   *
   * @param model directory of a Gemma 3 checkpoint
   * @param backend closed at the end
   * @param data JSON Lines, see {@link TrainingFile}
   * @param out directory of metrics, checkpoint and the adapter, {@code out/<id>}
   * @param id of the adapter
   */
  public static Trained train(
      Path model,
      Backend backend,
      Recipe recipe,
      Path data,
      Path out,
      String id,
      TrainingListener listener) {
    Precision precision = recipe.mode() == Recipe.Mode.QLORA ? Precision.NF4 : Precision.BF16;
    try (backend;
        GemmaTokenizer tokenizer = GemmaTokenizer.read(model);
        Gemma3 base = Gemma3.load(model, backend, precision)) {
      int longest = Math.min(recipe.tokensPerMicroBatch(), base.config().maxPositions());
      TrainingFile file = TrainingFile.read(data, tokenizer, longest);
      if (file.samples().isEmpty()) {
        throw new ImprovementException(
            data + " has no sample of at most " + longest + " tokens to train on");
      }
      try (LoraAdapter adapter = LoraAdapter.create(base, id, recipe.lora(), recipe.seed());
          Trainer trainer = new Trainer(base, adapter, recipe)) {
        Outcome outcome = trainer.run(file.samples(), List.of(), out, listener);
        Path directory = out.resolve(id);
        adapter.save(directory, model.getFileName().toString());
        return new Trained(
            directory, base.hash(), backend.name(), file.samples().size(), file.tooLong(), outcome);
      }
    }
  }
}
