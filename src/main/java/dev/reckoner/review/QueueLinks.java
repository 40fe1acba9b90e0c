package dev.reckoner.review;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;

/** The address of the queue under a filter. */
final class QueueLinks {

  private QueueLinks() {}

  static String query(String status, QueueFilter filter, boolean mine) {
    StringBuilder query = new StringBuilder("status=").append(encode(status));
    append(query, "type", filter.type());
    append(query, "subject", filter.subject());
    append(query, "verdict", filter.verdict());
    append(query, "adapter", filter.adapter());
    append(query, "age", filter.age());
    append(query, "q", filter.search());
    append(query, "mine", mine ? "true" : null);
    return query.toString();
  }

  private static void append(StringBuilder query, String name, String value) {
    if (value != null) {
      query.append('&').append(name).append('=').append(encode(value));
    }
  }

  private static String encode(String value) {
    return URLEncoder.encode(value, StandardCharsets.UTF_8);
  }
}
