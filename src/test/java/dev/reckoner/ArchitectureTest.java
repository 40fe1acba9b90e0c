package dev.reckoner;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import java.util.List;

/** The architecture as drawn: a package may use those below it, never one above. */
@AnalyzeClasses(
    packages = ArchitectureTest.ROOT,
    importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

  static final String ROOT = "dev.reckoner";

  /** From the top down. */
  private static final List<String> LAYERS =
      List.of(
          "cli",
          "embedded",
          "events",
          "review",
          "improve",
          "agent",
          "teacher",
          "evaluation",
          "djl",
          "inference",
          "tuning",
          "corpus",
          "reasoning",
          "gemma",
          "tensor");

  /** These are a library that a plain main can use. */
  private static final String[] LIBRARY = {
    "dev.reckoner.tensor..",
    "dev.reckoner.gemma..",
    "dev.reckoner.reasoning..",
    "dev.reckoner.corpus..",
    "dev.reckoner.tuning..",
    "dev.reckoner.djl..",
    "dev.reckoner.inference..",
    "dev.reckoner.evaluation.."
  };

  @ArchTest
  static void eachPackageUsesOnlyThoseBelowIt(
      com.tngtech.archunit.core.domain.JavaClasses classes) {
    for (int i = 1; i < LAYERS.size(); i++) {
      String[] above =
          LAYERS.subList(0, i).stream()
              .map(layer -> ROOT + "." + layer + "..")
              .toArray(String[]::new);
      noClasses()
          .that()
          .resideInAPackage(ROOT + "." + LAYERS.get(i) + "..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(above)
          .allowEmptyShould(true)
          .check(classes);
    }
  }

  @ArchTest
  static final ArchRule everyClassBelongsToALayer =
      noClasses()
          .should()
          .resideOutsideOfPackages(
              LAYERS.stream().map(layer -> ROOT + "." + layer + "..").toArray(String[]::new));

  @ArchTest
  static final ArchRule theLibraryKnowsNoFrameworkBrokerOrDatabase =
      noClasses()
          .that()
          .resideInAnyPackage(LIBRARY)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "io.quarkus..",
              "jakarta..",
              "org.eclipse.microprofile..",
              "io.smallrye..",
              "org.apache.kafka..",
              "java.sql..",
              "javax.sql..",
              "org.jdbi..",
              "dev.langchain4j..")
          .allowEmptyShould(true);

  @ArchTest
  static final ArchRule chainsKnowNoModel =
      noClasses()
          .that()
          .resideInAnyPackage("dev.reckoner.reasoning..", "dev.reckoner.corpus..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.reckoner.gemma..", "dev.reckoner.tensor..", "ai.djl..")
          .allowEmptyShould(true);

  @ArchTest
  static final ArchRule packagesHaveNoCycles =
      SlicesRuleDefinition.slices().matching("dev.reckoner.(*)..").should().beFreeOfCycles();
}
