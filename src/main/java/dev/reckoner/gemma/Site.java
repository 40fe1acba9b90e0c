package dev.reckoner.gemma;

import java.util.List;

/** A fused linear layer of the model and the checkpoint's layers stacked in it. */
enum Site {
  QKV(Target.Q_PROJ, Target.K_PROJ, Target.V_PROJ),
  O(Target.O_PROJ),
  GATE_UP(Target.GATE_PROJ, Target.UP_PROJ),
  DOWN(Target.DOWN_PROJ);

  final List<Target> parts;

  Site(Target... parts) {
    this.parts = List.of(parts);
  }
}
