package dev.reckoner.improve;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The improvement loop, {@code reckoner.improve.*}. */
@ConfigMapping(prefix = "reckoner.improve")
public interface ImproveConfig {

  /** Whether this process takes up queued training runs. */
  @WithDefault("true")
  boolean worker();

  /** When runs start by themselves; one can always be started by hand. */
  Trigger trigger();

  /** The triggers of runs, {@code reckoner.improve.trigger.*}. */
  interface Trigger {

    /** So many approved or corrected chains since the last run start one; 0 for never. */
    @WithDefault("0")
    int decisions();

    /** When to start one, a cron expression with seconds as Quartz has them, or {@code off}. */
    @WithDefault("off")
    String cron();

    /** Whether what such a run made serves at once if it passes the gate. */
    @WithDefault("false")
    boolean promote();
  }

  /** What the adapter under the alias shadow may do. */
  Shadow shadow();

  /** The shadow, {@code reckoner.improve.shadow.*}. */
  interface Shadow {

    /** Most events that it analyses in an hour, over all replicas; 0 for none. */
    @WithDefault("60")
    int perHour();
  }

  /** How long what is not needed any more is kept. */
  Retention retention();

  /** What is removed when, {@code reckoner.improve.retention.*}. */
  interface Retention {

    /** So many of the newest adapters keep their files and evidence. */
    @WithDefault("20")
    int adapters();

    /** Older ones lose them, however few there are; so do kept measurements. */
    @WithDefault("90D")
    Duration age();

    /** Checkpoints and metrics of runs that ended so long ago are removed. */
    @WithDefault("14D")
    Duration checkpoints();

    /** Published messages are removed after this time. */
    @WithDefault("7D")
    Duration messages();

    /** The bytes of events that are done are removed after this time; their hashes stay. */
    @WithDefault("30D")
    Duration rawEvents();
  }

  /** The training recipe; without it the one that ships with the program. */
  Optional<Path> recipe();

  /**
   * With at least so many preference pairs a run goes on with them after it has imitated; a pair is
   * a corrected chain.
   */
  @WithDefault("40")
  int preferencesFrom();

  /** The recipe for the pairs; without it the one that ships with the program. */
  Optional<Path> preferenceRecipe();

  /** The gate's rules; without it {@code evaluation/gates.yaml} as shipped. */
  Optional<Path> gates();

  /**
   * What the gate measures on, beside what is held out of the decisions: {@code synthetic}, {@code
   * house-rule}, or files of problems.
   */
  @WithDefault("synthetic")
  List<String> suites();

  /** The first problems of each of them. */
  @WithDefault("60")
  int suiteProblems();

  /** Synthetic pages mixed into a dataset for each validated chain, half with several questions. */
  @WithDefault("3")
  double replay();

  /** The fewest synthetic pages mixed in. */
  @WithDefault("100")
  int minimumReplay();

  /**
   * With at least so many validated chains a fifth of the subjects is held out for the gate, and of
   * the others the newest tenth; with fewer, all train.
   */
  @WithDefault("50")
  int holdOutFrom();
}
