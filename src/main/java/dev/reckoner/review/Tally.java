package dev.reckoner.review;

import dev.reckoner.review.ReviewQueue.Counts;
import java.util.HashMap;
import java.util.Map;
import org.jdbi.v3.core.Handle;

/**
 * How many analyses are in which state at one moment, and in how far that is another number for
 * some people: what was planted for somebody waits for them alone, and what somebody has reviewed
 * blind does not wait for them any more.
 *
 * @param all without what was planted
 * @param differences what is to be added, by person; only pending and failing
 * @param at {@link System#nanoTime()}
 */
record Tally(Counts all, Map<String, Counts> differences, long at) {

  static Tally count(Handle handle) {
    Counts all =
        handle
            .createQuery(
                """
                select sum(n) filter (where status = 'pending'),
                       sum(n) filter (where status = 'pending' and failing),
                       sum(n) filter (where status = 'approved'),
                       sum(n) filter (where status = 'corrected'),
                       sum(n) filter (where status = 'rejected')
                from (select status, failed_steps > 0 as failing, count(*) as n
                      from analysis group by 1, 2
                      union all
                      select a.status, a.failed_steps > 0, -count(*)
                      from planted p join analysis a on a.id = p.analysis_id group by 1, 2) counted
                """)
            .map(
                (rs, ctx) ->
                    new Counts(
                        rs.getLong(1), rs.getLong(2), rs.getLong(3), rs.getLong(4), rs.getLong(5)))
            .one();
    Map<String, Counts> differences = new HashMap<>();
    handle
        .createQuery(
            """
            select p.made_for, 1, (a.failed_steps > 0)::int
            from planted p join analysis a on a.id = p.analysis_id where a.status = 'pending'
            union all
            select d.reviewer, -1, -(a.failed_steps > 0)::int
            from decision d join analysis a on a.id = d.analysis_id
            where d.blind and d.kind <> 'undo' and a.status = 'pending'
              and not exists (select 1 from decision u where u.undoes = d.id)
            """)
        .map(
            (rs, ctx) ->
                Map.entry(rs.getString(1), new Counts(rs.getLong(2), rs.getLong(3), 0, 0, 0)))
        .forEach(one -> differences.merge(one.getKey(), one.getValue(), Tally::sum));
    return new Tally(all, Map.copyOf(differences), System.nanoTime());
  }

  /** The counts as {@code person} may know them. */
  Counts seenBy(String person) {
    Counts difference = differences.get(person);
    return difference == null ? all : sum(all, difference);
  }

  private static Counts sum(Counts a, Counts b) {
    return new Counts(
        a.pending() + b.pending(),
        a.failing() + b.failing(),
        a.approved() + b.approved(),
        a.corrected() + b.corrected(),
        a.rejected() + b.rejected());
  }
}
