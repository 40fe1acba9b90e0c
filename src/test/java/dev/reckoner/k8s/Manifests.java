package dev.reckoner.k8s;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The manifests of {@code k8s/} as typed models. A field that Kubernetes does not know, a key
 * written twice and a kind that is not listed here are errors.
 */
final class Manifests {

  private static final Map<String, Class<? extends HasMetadata>> KINDS =
      Stream.of(
              ConfigMap.class,
              Deployment.class,
              Job.class,
              Namespace.class,
              NetworkPolicy.class,
              PersistentVolumeClaim.class,
              PodDisruptionBudget.class,
              Role.class,
              RoleBinding.class,
              Service.class,
              ServiceAccount.class)
          .collect(Collectors.toMap(Class::getSimpleName, Function.identity()));

  private static final YAMLMapper YAML =
      YAMLMapper.builder()
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .annotationIntrospector(new NoCatchAll())
          .build();

  private final Path root;

  Manifests(Path root) {
    this.root = root;
  }

  /** Every YAML file below the root that is not a kustomization. */
  List<Path> files() throws IOException {
    try (Stream<Path> walk = Files.walk(root)) {
      return walk.filter(p -> p.toString().endsWith(".yaml"))
          .filter(p -> !p.endsWith("kustomization.yaml"))
          .sorted()
          .toList();
    }
  }

  List<Path> kustomizations() throws IOException {
    try (Stream<Path> walk = Files.walk(root)) {
      return walk.filter(p -> p.endsWith("kustomization.yaml")).sorted().toList();
    }
  }

  static JsonNode tree(Path file) throws IOException {
    return YAML.readTree(file.toFile());
  }

  /** The objects of a file. */
  static List<HasMetadata> read(Path file) throws IOException {
    return read(Files.readString(file), file.toString());
  }

  static List<HasMetadata> read(String yaml, String name) throws IOException {
    List<HasMetadata> objects = new ArrayList<>();
    try (MappingIterator<JsonNode> documents = YAML.readerFor(JsonNode.class).readValues(yaml)) {
      while (documents.hasNext()) {
        JsonNode document = documents.next();
        Class<? extends HasMetadata> type = KINDS.get(document.path("kind").asText());
        if (type == null) {
          throw new IOException(name + ": unexpected kind " + document.path("kind"));
        }
        HasMetadata object = YAML.treeToValue(document, type);
        String version = type.getDeclaredConstructor().newInstance().getApiVersion();
        if (!version.equals(document.path("apiVersion").asText())) {
          throw new IOException(
              name
                  + ": "
                  + type.getSimpleName()
                  + " is "
                  + version
                  + ", not "
                  + document.path("apiVersion"));
        }
        objects.add(object);
      }
    } catch (ReflectiveOperationException e) {
      throw new IOException(e);
    }
    return objects;
  }

  /** The one object of this type and name in a folder. */
  <T extends HasMetadata> T one(String folder, Class<T> type, String name) throws IOException {
    try (Stream<Path> list = Files.list(root.resolve(folder))) {
      for (Path file : list.filter(p -> p.toString().endsWith(".yaml")).toList()) {
        if (file.endsWith("kustomization.yaml")) {
          continue;
        }
        for (HasMetadata object : read(file)) {
          if (type.isInstance(object) && object.getMetadata().getName().equals(name)) {
            return type.cast(object);
          }
        }
      }
    }
    throw new IOException("no " + type.getSimpleName() + " " + name + " in " + folder);
  }

  /** The models collect unknown fields in a catch-all map; without it they are errors. */
  private static final class NoCatchAll extends JacksonAnnotationIntrospector {

    private static final long serialVersionUID = 1L;

    @Override
    public Boolean hasAnySetter(Annotated annotated) {
      return false;
    }
  }
}
