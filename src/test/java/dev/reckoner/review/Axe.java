package dev.reckoner.review;

import com.microsoft.playwright.Page;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Deque's axe-core, run in an open page: what keeps somebody from using it. */
final class Axe {

  private static final String SCRIPT = read("/axe.min.js");

  private static final String RUN =
      """
      async () => {
        const result = await axe.run(document, {
          resultTypes: ['violations', 'passes'],
          runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        });
        if (result.passes.length === 0) return ['axe checked nothing'];
        return result.violations
          .filter((v) => v.impact === 'serious' || v.impact === 'critical')
          .flatMap((v) => v.nodes.map((n) => `${v.id} (${v.impact}): ${n.target.join(' ')}: ${n.failureSummary}`));
      }
      """;

  private Axe() {}

  /** The serious and critical violations of WCAG 2.2 A and AA, one line each. */
  static List<String> violations(Page page) {
    page.evaluate(SCRIPT);
    Object found = page.evaluate(RUN);
    return ((List<?>) found).stream().map(String::valueOf).toList();
  }

  private static String read(String resource) {
    try (InputStream in = Axe.class.getResourceAsStream(resource)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
