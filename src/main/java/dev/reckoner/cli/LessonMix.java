package dev.reckoner.cli;

import dev.reckoner.corpus.Conversations;
import dev.reckoner.corpus.Lesson;
import dev.reckoner.corpus.PageQuestions;
import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.Support;
import dev.reckoner.corpus.SyntheticGenerator;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.corpus.SyntheticGenerator.Topic;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.reasoning.EvidenceSyntaxException;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.tuning.LessonSamples;
import dev.reckoner.tuning.Sample;
import dev.reckoner.tuning.SampleStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * An endless mixture of lessons: given ones as they are, those to be replayed so that they are not
 * forgotten, fresh questions on the pages of both, fresh conversations on them and on synthetic
 * pages, fresh synthetic pages, and those of the topics that have suites of their own. Half of the
 * fresh ones ask one question, the others several.
 */
final class LessonMix implements SampleStream.Source {

  /** Where a lesson comes from. */
  enum Kind {
    data,
    replay,
    page,
    conversation,
    synthetic,
    topic
  }

  private static final int MOST_QUESTIONS = 6;
  private static final int HELD_OUT = 100;

  private final List<Kind> urn = new ArrayList<>();
  private final List<Sample> known = new ArrayList<>();
  private final List<Sample> replayed = new ArrayList<>();
  private final List<Problem> pages;
  private final List<Sample> heldOut = new ArrayList<>();
  private final SyntheticGenerator generator;
  private final List<SyntheticGenerator> topics;
  private final PageQuestions questions;
  private final Conversations conversations;
  private final LessonSamples samples;
  private final int maxTokens;
  private final String id;

  private LessonMix(
      Map<Kind, Integer> shares,
      List<Lesson> lessons,
      List<Lesson> replay,
      String pack,
      long seed,
      GemmaTokenizer tokenizer,
      int reading,
      int maxTokens) {
    this.maxTokens = maxTokens;
    generator = new SyntheticGenerator(pack, seed, Split.TRAIN);
    topics =
        shares.getOrDefault(Kind.topic, 0) == 0
            ? List.of()
            : Arrays.stream(Topic.values())
                .map(topic -> SyntheticGenerator.of(topic, pack, seed, Split.TRAIN))
                .toList();
    questions = new PageQuestions(pack, seed);
    conversations = shares.getOrDefault(Kind.conversation, 0) > 0 ? new Conversations(pack) : null;
    samples = new LessonSamples(tokenizer, 0);
    LessonSamples read = new LessonSamples(tokenizer, reading);
    Set<String> out = heldOutGroups(lessons, seed);
    List<Lesson> kept = lessons.stream().filter(l -> !out.contains(l.group())).toList();
    List<Lesson> again = replay.stream().filter(l -> !out.contains(l.group())).toList();
    kept.parallelStream().map(read::of).filter(this::fits).forEachOrdered(known::add);
    again.parallelStream().map(read::of).filter(this::fits).forEachOrdered(replayed::add);
    pages = pages(Stream.concat(kept.stream(), again.stream()).toList());
    lessons.stream()
        .filter(l -> out.contains(l.group()))
        .map(samples::of)
        .filter(this::fits)
        .limit(HELD_OUT)
        .forEach(heldOut::add);
    if (shares.getOrDefault(Kind.synthetic, 0) > 0) {
      SyntheticGenerator other = new SyntheticGenerator(pack, ~seed, Split.TRAIN);
      LongStream.range(0, HELD_OUT).mapToObj(other::lesson).map(samples::of).forEach(heldOut::add);
    }
    new TreeMap<>(shares)
        .forEach(
            (kind, share) -> {
              for (int i = 0; i < share; i++) {
                urn.add(kind);
              }
            });
    if (urn.isEmpty()
        || urn.contains(Kind.data) && known.isEmpty()
        || urn.contains(Kind.replay) && replayed.isEmpty()
        || urn.contains(Kind.page) && pages.isEmpty()) {
      throw new IllegalArgumentException(
          "nothing to train on: name lessons with --data or --replay, or give synthetic a share in"
              + " --mix");
    }
    int hash = urn.hashCode();
    for (Sample sample : known) {
      hash = 31 * hash + Arrays.hashCode(sample.tokens());
    }
    for (Sample sample : replayed) {
      hash = 31 * hash + Arrays.hashCode(sample.tokens());
    }
    id = "%08x-%d-%d".formatted(hash, seed, maxTokens);
  }

  static LessonMix of(
      Map<Kind, Integer> shares,
      List<Lesson> lessons,
      List<Lesson> replay,
      String pack,
      long seed,
      GemmaTokenizer tokenizer,
      int reading,
      int maxTokens) {
    LessonMix mix =
        new LessonMix(shares, lessons, replay, pack, seed, tokenizer, reading, maxTokens);
    System.out.printf(
        "mixing %s: %d lessons, %d to replay, %d pages, %d held out%n",
        shares, mix.known.size(), mix.replayed.size(), mix.pages.size(), mix.heldOut.size());
    return mix;
  }

  private boolean fits(Sample sample) {
    return sample.length() <= maxTokens;
  }

  /** Whole pages, drawn by the seed, of no more than a twentieth of the lessons. */
  private static Set<String> heldOutGroups(List<Lesson> lessons, long seed) {
    Map<String, Integer> sizes = new TreeMap<>();
    lessons.forEach(lesson -> sizes.merge(lesson.group(), 1, Integer::sum));
    List<String> groups = new ArrayList<>(sizes.keySet());
    Collections.shuffle(groups, new Random(seed));
    int room = Math.min(HELD_OUT, lessons.size() / 20);
    Set<String> out = new HashSet<>();
    for (String group : groups) {
      if (sizes.get(group) <= room) {
        out.add(group);
        room -= sizes.get(group);
      }
    }
    return out;
  }

  /** Of each page its fullest view. */
  private static List<Problem> pages(List<Lesson> lessons) {
    Map<String, Lesson> fullest = new HashMap<>();
    for (Lesson lesson : lessons) {
      fullest.merge(
          lesson.group(), lesson, (a, b) -> a.user().length() >= b.user().length() ? a : b);
    }
    List<Problem> pages = new ArrayList<>();
    for (Lesson lesson : fullest.values()) {
      try {
        pages.add(
            new Problem(
                lesson.group(),
                lesson.group(),
                lesson.origin(),
                new PromptFormat().parse(lesson.user()),
                null,
                null,
                Support.UNKNOWN));
      } catch (EvidenceSyntaxException e) {
        // Not a lesson on a page: nothing to ask about.
      }
    }
    pages.sort(Comparator.comparing(Problem::id));
    return PageQuestions.distinct(pages);
  }

  @Override
  public Sample next(SplittableRandom random) {
    while (true) {
      Optional<Sample> sample =
          switch (urn.get(random.nextInt(urn.size()))) {
            case data -> Optional.of(known.get(random.nextInt(known.size())));
            case replay -> Optional.of(replayed.get(random.nextInt(replayed.size())));
            case page ->
                questions
                    .lesson(
                        pages.get(random.nextInt(pages.size())), "page", several(random), random)
                    .map(samples::of);
            case conversation -> conversation(random).map(samples::of);
            case synthetic ->
                Optional.of(samples.of(generator.lesson(random.nextLong() >>> 1, several(random))));
            case topic ->
                Optional.of(
                    samples.of(
                        topics
                            .get(random.nextInt(topics.size()))
                            .lesson(random.nextLong() >>> 1, several(random))));
          };
      if (sample.isPresent() && fits(sample.get())) {
        return sample.get();
      }
    }
  }

  /** Half of the conversations are about published pages. */
  private Optional<Lesson> conversation(SplittableRandom random) {
    return pages.isEmpty() || random.nextBoolean()
        ? Optional.of(conversations.synthetic("conversation", several(random), random))
        : conversations.onPage(
            pages.get(random.nextInt(pages.size())), "conversation", several(random), random);
  }

  private static int several(SplittableRandom random) {
    return random.nextBoolean() ? 1 : 2 + random.nextInt(MOST_QUESTIONS - 1);
  }

  List<Sample> heldOut() {
    return heldOut;
  }

  /** Tells mixtures apart. */
  String id() {
    return id;
  }
}
