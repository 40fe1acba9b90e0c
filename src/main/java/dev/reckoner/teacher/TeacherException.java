package dev.reckoner.teacher;

/** Why teaching cannot go on; the message is one line that says what to do. */
public final class TeacherException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  TeacherException(String message) {
    super(message);
  }

  TeacherException(String message, Throwable cause) {
    super(message, cause);
  }
}
