package dev.reckoner.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;

/** The version that was built, as Maven writes it into the jar. */
final class Version implements IVersionProvider {

  @Override
  public String[] getVersion() throws IOException {
    Properties properties = new Properties();
    try (InputStream in =
        Version.class.getResourceAsStream("/META-INF/maven/dev.reckoner/reckoner/pom.properties")) {
      if (in != null) {
        properties.load(in);
      }
    }
    return new String[] {
      "reckoner " + properties.getProperty("version", "(development)"), "Java " + Runtime.version()
    };
  }
}
