package dev.reckoner.gemma;

/** One message of a conversation. */
public record ChatMessage(Role role, String content) {
  /** Who speaks. The assistant is "model" in Gemma's format. */
  public enum Role {
    SYSTEM,
    USER,
    ASSISTANT
  }

  public static ChatMessage system(String content) {
    return new ChatMessage(Role.SYSTEM, content);
  }

  public static ChatMessage user(String content) {
    return new ChatMessage(Role.USER, content);
  }

  public static ChatMessage assistant(String content) {
    return new ChatMessage(Role.ASSISTANT, content);
  }
}
