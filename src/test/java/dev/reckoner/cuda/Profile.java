package dev.reckoner.cuda;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;

/**
 * Sums up the time of each operation by its operands' shapes. It waits for the device after each,
 * so that the sum is more than a step takes undisturbed.
 */
final class Profile {
  private static final int WARM_UP_CALLS = 1;

  private static final class Entry {
    private long calls;
    private double seconds;
    private long timed;
  }

  private final Backend measured;
  private final Map<String, Entry> entries = new HashMap<>();
  private boolean started;

  Profile(Backend measured) {
    this.measured = measured;
  }

  /** Operations from now on are timed, until {@link #print}. */
  void start() {
    entries.clear();
    started = true;
  }

  Backend backend() {
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, this::invoke);
  }

  private Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
    try {
      // In order: each operation is timed by itself.
      if (started && method.getName().equals("beside")) {
        ((Runnable) arguments[0]).run();
        return null;
      }
      if (started && method.getName().equals("prepare")) {
        return null;
      }
      if (!started || method.getReturnType() != void.class || method.getParameterCount() == 0) {
        return method.invoke(measured, arguments);
      }
      long start = System.nanoTime();
      method.invoke(measured, arguments);
      measured.synchronize();
      double seconds = (System.nanoTime() - start) * 1e-9;
      Entry entry = entries.computeIfAbsent(key(method, arguments), k -> new Entry());
      if (++entry.calls > WARM_UP_CALLS) {
        entry.seconds += seconds;
        entry.timed++;
      }
      return null;
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private static String key(Method method, Object[] arguments) {
    StringJoiner key = new StringJoiner(" ", method.getName() + " ", "");
    for (Object a : arguments) {
      switch (a) {
        case Tensor t -> key.add("[%d,%d]".formatted(t.rows(), t.columns()));
        case Matrix m -> key.add("%s[%d,%d]".formatted(m.precision(), m.rows(), m.columns()));
        case Integer i -> key.add(i.toString());
        case null, default -> {}
      }
    }
    return key.toString();
  }

  /** Milliseconds a step, the largest first. */
  void print(int steps) {
    started = false;
    double wait = emptyWait();
    entries.entrySet().stream()
        .filter(e -> e.getValue().timed > 0)
        .sorted((a, b) -> Double.compare(perStep(b, steps, wait), perStep(a, steps, wait)))
        .limit(60)
        .forEach(
            e ->
                System.out.printf(
                    Locale.ROOT,
                    "%8.3f ms %6.1f x %8.1f us  %s%n",
                    perStep(e, steps, wait) * 1e3,
                    (double) e.getValue().calls / steps,
                    (e.getValue().seconds / e.getValue().timed - wait) * 1e6,
                    e.getKey()));
    double all = entries.entrySet().stream().mapToDouble(e -> perStep(e, steps, wait)).sum();
    System.out.printf(Locale.ROOT, "%8.3f ms in all%n", all * 1e3);
  }

  private static double perStep(Map.Entry<String, Entry> e, int steps, double wait) {
    Entry entry = e.getValue();
    return entry.timed == 0 ? 0 : (entry.seconds / entry.timed - wait) * entry.calls / steps;
  }

  private double emptyWait() {
    int repeats = 2000;
    long start = 0;
    for (int i = -repeats; i < repeats; i++) {
      if (i == 0) {
        start = System.nanoTime();
      }
      measured.synchronize();
    }
    return (System.nanoTime() - start) * 1e-9 / repeats;
  }
}
