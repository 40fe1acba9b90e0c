package dev.reckoner.gemma;

/** The linear layers an adapter may change, by their checkpoint names. */
public enum Target {
  Q_PROJ("self_attn.q_proj"),
  K_PROJ("self_attn.k_proj"),
  V_PROJ("self_attn.v_proj"),
  O_PROJ("self_attn.o_proj"),
  GATE_PROJ("mlp.gate_proj"),
  UP_PROJ("mlp.up_proj"),
  DOWN_PROJ("mlp.down_proj");

  private final String path;

  Target(String path) {
    this.path = path;
  }

  /** For example {@code self_attn.q_proj}. */
  public String path() {
    return path;
  }

  /** For example {@code q_proj}, as in adapter_config.json. */
  public String module() {
    return path.substring(path.indexOf('.') + 1);
  }

  /** Input features. */
  int in(GemmaConfig c) {
    return switch (this) {
      case O_PROJ -> c.queryWidth();
      case DOWN_PROJ -> c.feedForward();
      default -> c.hidden();
    };
  }

  /** Output features. */
  int out(GemmaConfig c) {
    return switch (this) {
      case Q_PROJ -> c.queryWidth();
      case K_PROJ, V_PROJ -> c.keyWidth();
      case GATE_PROJ, UP_PROJ -> c.feedForward();
      default -> c.hidden();
    };
  }

  static Target ofModule(String module) {
    for (Target t : values()) {
      if (t.module().equals(module)) {
        return t;
      }
    }
    throw new ModelFormatException(
        "adapter_config.json: target module %s is not a linear layer of Gemma 3".formatted(module));
  }
}
