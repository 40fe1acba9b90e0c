package dev.reckoner.k8s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.ConfigMappings;
import io.smallrye.config.ConfigMappings.ConfigClass;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The manifests are well formed, agree with each other and with the application. */
class KubernetesTest {

  private static final Path ROOT = Path.of("k8s");
  private static final Manifests MANIFESTS = new Manifests(ROOT);
  private static final String LAUNCHER = "components/training-launcher";

  @Test
  void everyManifestIsValid() throws IOException {
    assertThat(MANIFESTS.files()).hasSizeGreaterThan(8);
    for (Path file : MANIFESTS.files()) {
      assertThat(Manifests.read(file)).as(file.toString()).isNotEmpty();
    }
  }

  @Test
  void aMisspelledFieldIsAnError() {
    String yaml =
        """
        apiVersion: v1
        kind: Service
        metadata: {name: x}
        spec: {prots: []}
        """;
    assertThatThrownBy(() -> Manifests.read(yaml, "inline")).hasMessageContaining("prots");
    assertThatThrownBy(() -> Manifests.read(yaml.replace("v1", "v2"), "inline"))
        .hasMessageContaining("prots");
    assertThatThrownBy(() -> Manifests.read("apiVersion: v2\nkind: ServiceAccount\n", "inline"))
        .hasMessageContaining("ServiceAccount is v1");
  }

  @Test
  void everyKustomizationNamesFilesThatExistAndForgetsNone() throws IOException {
    Set<Path> named = new TreeSet<>();
    for (Path kustomization : MANIFESTS.kustomizations()) {
      JsonNode tree = Manifests.tree(kustomization);
      Stream.of(
              tree.path("resources").valueStream().map(JsonNode::asText),
              tree.path("patches").valueStream().map(patch -> patch.path("path").asText()),
              tree.path("configMapGenerator")
                  .valueStream()
                  .flatMap(map -> map.path("files").valueStream())
                  .map(JsonNode::asText))
          .flatMap(names -> names)
          .map(path -> kustomization.resolveSibling(path).normalize())
          .forEach(
              path -> {
                assertThat(path).exists();
                named.add(path);
              });
    }
    assertThat(named).containsAll(MANIFESTS.files());
  }

  @Test
  void selectorsFindThePods() throws IOException {
    Deployment deployment = deployment();
    Map<String, String> labels = deployment.getSpec().getTemplate().getMetadata().getLabels();
    assertThat(labels)
        .containsAllEntriesOf(deployment.getSpec().getSelector().getMatchLabels())
        .containsAllEntriesOf(
            MANIFESTS.one("base", Service.class, "reckoner").getSpec().getSelector())
        .containsAllEntriesOf(
            MANIFESTS
                .one("base", PodDisruptionBudget.class, "reckoner")
                .getSpec()
                .getSelector()
                .getMatchLabels())
        .containsAllEntriesOf(networkPolicy().getSpec().getPodSelector().getMatchLabels());
    // The training pods must not receive the service's requests, but are under its policy.
    Map<String, String> training = training().getSpec().getTemplate().getMetadata().getLabels();
    assertThat(training.entrySet())
        .doesNotContainSequence(
            Map.entry("app.kubernetes.io/component", labels.get("app.kubernetes.io/component")));
    assertThat(training)
        .containsAllEntriesOf(networkPolicy().getSpec().getPodSelector().getMatchLabels());
  }

  @Test
  void everyPodIsLockedDown() throws IOException {
    for (PodTemplateSpec pod : pods()) {
      assertThat(pod.getSpec().getAutomountServiceAccountToken()).isFalse();
      assertThat(pod.getSpec().getServiceAccountName()).isEqualTo("reckoner");
      assertThat(pod.getSpec().getSecurityContext().getRunAsNonRoot()).isTrue();
      assertThat(pod.getSpec().getSecurityContext().getRunAsUser()).isPositive();
      assertThat(pod.getSpec().getSecurityContext().getSeccompProfile().getType())
          .isEqualTo("RuntimeDefault");
      for (Container container : pod.getSpec().getContainers()) {
        assertThat(container.getSecurityContext().getAllowPrivilegeEscalation()).isFalse();
        assertThat(container.getSecurityContext().getReadOnlyRootFilesystem()).isTrue();
        assertThat(container.getSecurityContext().getCapabilities().getDrop())
            .containsExactly("ALL");
      }
    }
  }

  @Test
  void theImagesRunAsThePodsDoAndWithTheFlagsThatTheProgramNeeds() throws IOException {
    String service = Files.readString(ROOT.resolve("Containerfile"));
    String training = Files.readString(ROOT.resolve("training/Containerfile"));
    for (PodTemplateSpec pod :
        List.of(deployment(), training()).stream()
            .map(
                w ->
                    w instanceof Deployment d
                        ? d.getSpec().getTemplate()
                        : ((Job) w).getSpec().getTemplate())
            .toList()) {
      long user = pod.getSpec().getSecurityContext().getRunAsUser();
      long group = pod.getSpec().getSecurityContext().getRunAsGroup();
      assertThat(service).contains("\nUSER " + user + ":" + group + "\n");
      assertThat(training).contains("\nUSER " + user + ":" + group + "\n");
    }
    assertThat(service).contains("\nEXPOSE " + settings().get("QUARKUS_HTTP_PORT") + "\n");
    String data = "RECKONER_DATA_DIR=" + settings().get("RECKONER_DATA_DIR");
    assertThat(service).contains(data);
    assertThat(training).contains(data);
    String pom = Files.readString(Path.of("pom.xml"));
    String flags = pom.replaceAll("(?s).*<reckoner.jvm.args>(.*?)</reckoner.jvm.args>.*", "$1");
    String entry = service.substring(service.indexOf("ENTRYPOINT"));
    List<String> arguments =
        new ArrayList<>(
            new ObjectMapper()
                .readValue(
                    entry.substring(11),
                    new com.fasterxml.jackson.core.type.TypeReference<List<String>>() {}));
    assertThat(arguments).first().isEqualTo("java");
    assertThat(arguments).containsSubsequence(flags.split(" "));
    assertThat(arguments).last().isEqualTo("/opt/reckoner/quarkus-run.jar");
  }

  @Test
  void everyContainerHasRequestsWithinItsLimitsAndVolumesThatExist() throws IOException {
    for (PodTemplateSpec pod : pods()) {
      Set<String> volumes =
          pod.getSpec().getVolumes().stream().map(Volume::getName).collect(Collectors.toSet());
      for (Container container : pod.getSpec().getContainers()) {
        Map<String, Quantity> limits = container.getResources().getLimits();
        assertThat(limits).containsKeys("cpu", "memory");
        container
            .getResources()
            .getRequests()
            .forEach(
                (name, request) ->
                    assertThat(request.getNumericalAmount())
                        .as(container.getName() + " " + name)
                        .isPositive()
                        .isLessThanOrEqualTo(limits.get(name).getNumericalAmount()));
        assertThat(container.getVolumeMounts())
            .extracting(VolumeMount::getName)
            .isSubsetOf(volumes);
        assertThat(container.getVolumeMounts())
            .extracting(VolumeMount::getMountPath)
            .contains("/tmp");
      }
    }
  }

  @Test
  void probesAndServiceUseThePortTheApplicationListensOn() throws IOException {
    Container container = container(deployment().getSpec().getTemplate());
    List<ContainerPort> ports = container.getPorts();
    int http =
        ports.stream()
            .filter(p -> p.getName().equals("http"))
            .findFirst()
            .orElseThrow()
            .getContainerPort();
    assertThat(settings()).containsEntry("QUARKUS_HTTP_PORT", Integer.toString(http));
    for (Probe probe : probes(container)) {
      assertThat(probe.getHttpGet().getPort().getStrVal()).isEqualTo("http");
    }
    assertThat(
            MANIFESTS
                .one("base", Service.class, "reckoner")
                .getSpec()
                .getPorts()
                .getFirst()
                .getTargetPort()
                .getStrVal())
        .isEqualTo("http");
    assertThat(networkPolicy().getSpec().getIngress().getFirst().getPorts().getFirst().getPort())
        .satisfies(port -> assertThat(port.getIntVal()).isEqualTo(http));
  }

  @Test
  void probesAskForTheApplicationsHealthPaths() throws IOException {
    Map<String, String> application = applicationProperties();
    // With a management interface the paths would be on another port.
    assertThat(application.getOrDefault("quarkus.management.enabled", "false")).isEqualTo("false");
    String root = application.getOrDefault("quarkus.http.root-path", "/").replaceAll("/$", "");
    String q = application.getOrDefault("quarkus.http.non-application-root-path", "q");
    String health = application.getOrDefault("quarkus.smallrye-health.root-path", "health");
    String base = root + "/" + q + "/" + health;
    Container container = container(deployment().getSpec().getTemplate());
    assertThat(probes(container))
        .extracting(p -> p.getHttpGet().getPath())
        .containsExactly(base + "/started", base + "/live", base + "/ready");
  }

  @Test
  void everyVariableIsOneThatQuarkusOrTheApplicationReads() throws IOException {
    Map<String, String> quarkus = quarkusVariables();
    Set<String> application = applicationVariables();
    // Read by Kafka through SmallRye, by DJL, and by Kafka's own scripts.
    Set<String> others =
        Set.of("KAFKA_BOOTSTRAP_SERVERS", "DJL_CACHE_DIR", "OPT_OUT_TRACKING", "TOPICS", "LOG_DIR");
    for (String variable : variables()) {
      if (variable.startsWith("QUARKUS_")) {
        // A build-time setting in the environment of a finished image would do nothing.
        assertThat(quarkus.get(variable)).as(variable).isEqualTo("RUN_TIME");
      } else if (variable.startsWith("RECKONER_")) {
        assertThat(application).contains(variable);
      } else {
        assertThat(others).contains(variable);
      }
    }
  }

  @Test
  void kafkaAndPostgresAreGivenSoThatNothingEmbeddedStarts() throws IOException {
    assertThat(settings()).containsKeys("KAFKA_BOOTSTRAP_SERVERS", "QUARKUS_DATASOURCE_JDBC_URL");
    // The policy lets out to the ports that the settings name.
    assertThat(networkPolicy().getSpec().getEgress())
        .flatExtracting(rule -> rule.getPorts())
        .extracting(port -> port.getPort().getIntVal())
        .contains(
            port(settings().get("KAFKA_BOOTSTRAP_SERVERS")),
            port(settings().get("QUARKUS_DATASOURCE_JDBC_URL")));
  }

  @Test
  void noManifestHoldsASecret() throws IOException {
    for (PodTemplateSpec pod : pods()) {
      for (EnvVar variable : container(pod).getEnv()) {
        if (variable.getName().matches(".*(PASSWORD|USERNAME|KEY|SECRET|JAAS).*")) {
          assertThat(variable.getValue()).isNull();
          assertThat(variable.getValueFrom().getSecretKeyRef().getName()).isNotBlank();
        }
      }
    }
    assertThat(settings().keySet()).noneMatch(k -> k.matches(".*(PASSWORD|SECRET|JAAS|_KEY).*"));
  }

  @Test
  void theTrainingJobAsksForOneGpuAndKeepsItsCheckpoints() throws IOException {
    Container container = container(training().getSpec().getTemplate());
    assertThat(container.getArgs()).containsExactly("train");
    assertThat(container.getResources().getLimits().get("nvidia.com/gpu"))
        .isEqualTo(new Quantity("1"));
    Volume data =
        training().getSpec().getTemplate().getSpec().getVolumes().stream()
            .filter(v -> v.getName().equals("data"))
            .findFirst()
            .orElseThrow();
    assertThat(
            MANIFESTS.one(
                "training",
                PersistentVolumeClaim.class,
                data.getPersistentVolumeClaim().getClaimName()))
        .isNotNull();
    assertThat(container.getVolumeMounts())
        .anyMatch(
            mount ->
                mount.getName().equals("data")
                    && mount.getMountPath().equals(uncheckedSettings().get("RECKONER_DATA_DIR")));
  }

  @Test
  void onlyTheLauncherMayMakeJobsAndNothingElse() throws IOException {
    Role role = MANIFESTS.one(LAUNCHER, Role.class, "reckoner-launcher");
    assertThat(role.getRules()).hasSize(1);
    assertThat(role.getRules().getFirst().getApiGroups()).containsExactly("batch");
    assertThat(role.getRules().getFirst().getResources()).containsExactly("jobs");
    assertThat(role.getRules().getFirst().getVerbs()).containsExactly("create", "get", "delete");
    RoleBinding binding = MANIFESTS.one(LAUNCHER, RoleBinding.class, "reckoner-launcher");
    assertThat(binding.getRoleRef().getKind()).isEqualTo("Role");
    assertThat(binding.getSubjects())
        .extracting(s -> s.getName())
        .containsExactly("reckoner-launcher");
    // The service alone: not the Jobs that it makes, and not without the component.
    Deployment patch = MANIFESTS.one(LAUNCHER, Deployment.class, "reckoner");
    assertThat(patch.getSpec().getTemplate().getSpec().getServiceAccountName())
        .isEqualTo("reckoner-launcher");
    assertThat(launched().getSpec().getTemplate().getSpec().getServiceAccountName())
        .isNotEqualTo("reckoner-launcher");
    for (Path kustomization : MANIFESTS.kustomizations()) {
      assertThat(Manifests.tree(kustomization).path("components")).isEmpty();
    }
  }

  @Test
  void theManifestOfAJobIsWhereTheServiceReadsItAndAsTheOneAppliedByHand() throws IOException {
    PodTemplateSpec service =
        MANIFESTS.one(LAUNCHER, Deployment.class, "reckoner").getSpec().getTemplate();
    VolumeMount mount = container(service).getVolumeMounts().getFirst();
    assertThat(container(service).getEnv())
        .anySatisfy(
            variable -> {
              assertThat(variable.getName()).isEqualTo("RECKONER_TRAINING_KUBERNETES_JOB_TEMPLATE");
              assertThat(variable.getValue()).isEqualTo(mount.getMountPath() + "/job.yaml");
            });
    Volume volume = service.getSpec().getVolumes().getFirst();
    assertThat(volume.getName()).isEqualTo(mount.getName());
    JsonNode map =
        Manifests.tree(ROOT.resolve(LAUNCHER).resolve("kustomization.yaml"))
            .path("configMapGenerator")
            .path(0);
    assertThat(volume.getConfigMap().getName()).isEqualTo(map.path("name").asText());
    assertThat(map.path("options").path("disableNameSuffixHash").asBoolean()).isTrue();
    Container launched = container(launched().getSpec().getTemplate());
    Container byHand = container(training().getSpec().getTemplate());
    launched.setArgs(byHand.getArgs());
    assertThat(launched).isEqualTo(byHand);
    assertThat(MANIFESTS.one(LAUNCHER, PersistentVolumeClaim.class, "reckoner-training").getSpec())
        .isEqualTo(
            MANIFESTS.one("training", PersistentVolumeClaim.class, "reckoner-training").getSpec());
  }

  @Test
  void theTopicsAreTheApplications() throws IOException {
    Job job = MANIFESTS.one("topics", Job.class, "reckoner-topics");
    Map<String, String> policies = new TreeMap<>();
    for (EnvVar variable : container(job.getSpec().getTemplate()).getEnv()) {
      if (variable.getName().equals("TOPICS")) {
        for (String topic : variable.getValue().trim().split("\\s+")) {
          String[] parts = topic.split(":");
          policies.put(parts[0], parts[2]);
        }
      }
    }
    assertThat(policies)
        .containsOnlyKeys(
            "financial-events",
            "analyses",
            "analysis-feedback",
            "adapter-releases",
            "financial-events-dlq")
        .containsEntry("adapter-releases", "compact");
  }

  private static Deployment deployment() throws IOException {
    return MANIFESTS.one("base", Deployment.class, "reckoner");
  }

  private static Job training() throws IOException {
    return MANIFESTS.one("training", Job.class, "reckoner-training");
  }

  /** What the service makes the Job of a run from. */
  private static Job launched() throws IOException {
    return MANIFESTS.one(LAUNCHER, Job.class, "reckoner-training");
  }

  private static NetworkPolicy networkPolicy() throws IOException {
    return MANIFESTS.one("base", NetworkPolicy.class, "reckoner");
  }

  private static Map<String, String> settings() throws IOException {
    return MANIFESTS.one("base", ConfigMap.class, "reckoner").getData();
  }

  private static Map<String, String> uncheckedSettings() {
    try {
      return settings();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static List<PodTemplateSpec> pods() throws IOException {
    return List.of(
        deployment().getSpec().getTemplate(),
        training().getSpec().getTemplate(),
        launched().getSpec().getTemplate(),
        MANIFESTS.one("topics", Job.class, "reckoner-topics").getSpec().getTemplate());
  }

  private static Container container(PodTemplateSpec pod) {
    assertThat(pod.getSpec().getContainers()).hasSize(1);
    return pod.getSpec().getContainers().getFirst();
  }

  private static List<Probe> probes(Container container) {
    return List.of(
        container.getStartupProbe(), container.getLivenessProbe(), container.getReadinessProbe());
  }

  private static int port(String address) {
    var matcher = java.util.regex.Pattern.compile(":(\\d+)").matcher(address);
    assertThat(matcher.find()).as(address).isTrue();
    return Integer.parseInt(matcher.group(1));
  }

  /** Every variable that some manifest sets. */
  private static Set<String> variables() throws IOException {
    Set<String> names = new TreeSet<>();
    for (Path file : MANIFESTS.files()) {
      for (HasMetadata object : Manifests.read(file)) {
        if (object instanceof ConfigMap map) {
          names.addAll(map.getData().keySet());
        }
      }
    }
    for (PodTemplateSpec pod : pods()) {
      container(pod).getEnv().forEach(variable -> names.add(variable.getName()));
    }
    container(MANIFESTS.one(LAUNCHER, Deployment.class, "reckoner").getSpec().getTemplate())
        .getEnv()
        .forEach(variable -> names.add(variable.getName()));
    return names;
  }

  private static Map<String, String> applicationProperties() throws IOException {
    var properties = new java.util.Properties();
    try (var in = Files.newInputStream(Path.of("src/main/resources/application.properties"))) {
      properties.load(in);
    }
    Map<String, String> map = new HashMap<>();
    properties.stringPropertyNames().forEach(k -> map.put(k, properties.getProperty(k)));
    return map;
  }

  /** Variable to phase, from the documentation model that each Quarkus extension ships. */
  private static Map<String, String> quarkusVariables() throws IOException {
    ObjectMapper json = new ObjectMapper();
    Map<String, String> phases = new HashMap<>();
    List<URL> models = new ArrayList<>();
    Collections.list(
            Thread.currentThread()
                .getContextClassLoader()
                .getResources("META-INF/quarkus-config-doc/quarkus-config-model.json"))
        .forEach(models::add);
    for (URL model : models) {
      try (InputStream in = model.openStream()) {
        for (JsonNode root : json.readTree(in).path("configRoots")) {
          items(root.path("items"), phases);
        }
      }
    }
    assertThat(phases).hasSizeGreaterThan(500);
    return phases;
  }

  private static void items(JsonNode items, Map<String, String> phases) {
    for (JsonNode item : items) {
      if (item.has("items")) {
        items(item.path("items"), phases);
      } else {
        phases.put(
            item.path("path").path("environmentVariable").asText(), item.path("phase").asText());
      }
    }
  }

  /** The variables of every configuration mapping of the application. */
  private static Set<String> applicationVariables() {
    Set<String> variables = new TreeSet<>();
    for (JavaClass mapping :
        new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("dev.reckoner")
                .stream()
                .filter(c -> c.isAnnotatedWith(ConfigMapping.class))
                .toList()) {
      ConfigMappings.getProperties(ConfigClass.configClass(mapping.reflect()))
          .keySet()
          .forEach(
              property ->
                  variables.add(property.replaceAll("[^A-Za-z0-9]", "_").toUpperCase(Locale.ROOT)));
    }
    return variables;
  }
}
