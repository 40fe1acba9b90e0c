package dev.reckoner.improve;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;

/** Where this process keeps its files. */
@ConfigMapping(prefix = "reckoner")
public interface ReckonerConfig {

  /**
   * Datasets, checkpoints, fetched adapters and, where they run inside the process, the broker's
   * and the database's files.
   */
  @WithDefault(".reckoner")
  Path dataDir();
}
