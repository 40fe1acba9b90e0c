package dev.reckoner.review;

import jakarta.ws.rs.FormParam;
import java.util.Locale;
import java.util.UUID;

/** A decision as the page sends it. */
public class DecisionForm {

  @FormParam("id")
  UUID id;

  @FormParam("kind")
  String kind;

  @FormParam("version")
  int version;

  @FormParam("token")
  Long token;

  @FormParam("firstWrongStep")
  Integer firstWrongStep;

  @FormParam("reasonTag")
  String reasonTag;

  @FormParam("note")
  String note;

  @FormParam("chain")
  String chain;

  @FormParam("dwellMillis")
  long dwellMillis;

  @FormParam("over")
  UUID over;

  Decision.Request request() {
    return new Decision.Request(
        id,
        enumOf(Decision.Kind.class, kind),
        version,
        token,
        firstWrongStep,
        reasonTag == null || reasonTag.isEmpty() ? null : enumOf(ReasonTag.class, reasonTag),
        note,
        chain,
        dwellMillis,
        over);
  }

  private static <E extends Enum<E>> E enumOf(Class<E> type, String name) {
    try {
      return Enum.valueOf(type, name == null ? "" : name.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new ReviewException(
          ReviewException.Problem.INVALID, "There is no " + type.getSimpleName() + " " + name);
    }
  }
}
