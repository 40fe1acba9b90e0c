package dev.reckoner.improve;

import jakarta.enterprise.context.ApplicationScoped;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.commons.codec.digest.DigestUtils;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.transaction.TransactionIsolationLevel;

/**
 * The append-only, hash-chained record of what was inferred, decided, trained, promoted and rolled
 * back.
 *
 * <p>An entry is written in the transaction of what it records. Its hash is SHA-256 over the JSON
 * array {@code [seq, at, kind, actor, subject, payload, previousHash]}, so an entry that is
 * altered, removed or moved breaks the chain at that point; {@code ledger_head} makes a removed
 * tail visible as well.
 */
@ApplicationScoped
public class Ledger {

  /** What an entry records. */
  public enum Kind {
    INFERENCE,
    DECISION,
    DATASET,
    TRAINING_RUN,
    GATE,
    PROMOTION,
    ROLLBACK,
    REPLAY,
    SHADOW,
    REQUEUE,
    RETENTION
  }

  /**
   * One entry as stored.
   *
   * @param at ISO-8601 instant, the text that was hashed
   * @param payload canonical JSON
   */
  public record Entry(
      long seq,
      String at,
      String kind,
      String actor,
      String subject,
      String payload,
      String previousHash,
      String hash) {

    String expectedHash() {
      return DigestUtils.sha256Hex(
          CanonicalJson.write(List.of(seq, at, kind, actor, subject, payload, previousHash)));
    }
  }

  /**
   * What a walk along the chain found.
   *
   * @param entries how many entries were read
   * @param problem the first break, as one line; empty if the chain is whole
   */
  public record Verification(long entries, Optional<String> problem) {}

  private static final String GENESIS = "0".repeat(64);

  /**
   * Appends an entry. Call it last in a transaction: it holds the head of the chain until commit.
   *
   * @param handle the transaction that what is recorded is written in
   * @param actor who did it: a user's name, or the name of the process
   * @param subject the id of what it is about
   * @param payload a record, map or JSON tree; stored as canonical JSON
   */
  public void append(Handle handle, Kind kind, String actor, String subject, Object payload) {
    Head head =
        handle
            .createQuery("select seq, hash from ledger_head for update")
            .map((rs, ctx) -> new Head(rs.getLong(1), rs.getString(2)))
            .one();
    Entry unhashed =
        new Entry(
            head.seq() + 1,
            Instant.now().truncatedTo(ChronoUnit.MICROS).toString(),
            kind.name(),
            actor,
            subject,
            CanonicalJson.write(payload),
            head.hash(),
            "");
    String hash = unhashed.expectedHash();
    handle.execute(
        "insert into ledger (seq, at, kind, actor, subject, payload, previous_hash, hash)"
            + " values (?, ?, ?, ?, ?, ?, ?, ?)",
        unhashed.seq(),
        unhashed.at(),
        unhashed.kind(),
        actor,
        subject,
        unhashed.payload(),
        head.hash(),
        hash);
    handle.execute("update ledger_head set seq = ?, hash = ?", unhashed.seq(), hash);
  }

  /** Walks the whole chain, oldest first, and stops at the first break. */
  public Verification verify(Jdbi jdbi) {
    return jdbi.inTransaction(
        TransactionIsolationLevel.REPEATABLE_READ,
        handle -> {
          String previous = GENESIS;
          long read = 0;
          try (Stream<Entry> entries =
              handle
                  .createQuery("select * from ledger order by seq")
                  .setFetchSize(1000)
                  .map(
                      (rs, ctx) ->
                          new Entry(
                              rs.getLong("seq"),
                              rs.getString("at"),
                              rs.getString("kind"),
                              rs.getString("actor"),
                              rs.getString("subject"),
                              rs.getString("payload"),
                              rs.getString("previous_hash"),
                              rs.getString("hash")))
                  .stream()) {
            for (Iterator<Entry> i = entries.iterator(); i.hasNext(); ) {
              Entry entry = i.next();
              read++;
              String problem = problem(entry, read, previous);
              if (problem != null) {
                return new Verification(read, Optional.of(problem));
              }
              previous = entry.hash();
            }
          }
          Head head =
              handle
                  .createQuery("select seq, hash from ledger_head")
                  .map((rs, ctx) -> new Head(rs.getLong(1), rs.getString(2)))
                  .one();
          if (head.seq() != read || !head.hash().equals(previous)) {
            return new Verification(
                read,
                Optional.of(
                    "the last entry is "
                        + read
                        + ", but the head says "
                        + head.seq()
                        + ": entries were removed from the end"));
          }
          return new Verification(read, Optional.empty());
        });
  }

  private static String problem(Entry entry, long position, String previous) {
    if (entry.seq() != position) {
      return "entry " + position + " is missing: the next one is " + entry.seq();
    }
    if (!entry.previousHash().equals(previous)) {
      return "entry " + entry.seq() + " does not follow the entry before it: moved or replaced";
    }
    if (!entry.hash().equals(entry.expectedHash())) {
      return "entry " + entry.seq() + " was altered after it was written";
    }
    return null;
  }

  private record Head(long seq, String hash) {}
}
