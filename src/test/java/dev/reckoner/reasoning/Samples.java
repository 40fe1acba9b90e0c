package dev.reckoner.reasoning;

import java.util.List;

/** Evidence that the tests share. */
final class Samples {

  private Samples() {}

  /** A table in millions with per-share rows, text in other scales, and a stance to take. */
  static Evidence earnings() {
    return new Evidence(
        "Harbour Lines earnings, FY2023",
        "By how much did net sales grow from 2022 to 2023?",
        List.of(
            new Evidence.Table(
                "in millions, except per share data",
                List.of(
                    List.of("", "2023", "2022"),
                    List.of("Net sales", "$ 9,896", "$ 8,181"),
                    List.of("Operating loss", "(1,234)", "—"),
                    List.of("Operating margin", "9.2%", "11.6 % ( 11.6 % )"),
                    List.of("Earnings per share", "$ 2.31", "$ 1.90"),
                    List.of("Diluted shares", "512.4", "520.0")))),
        List.of(
            "The company repurchased 2.5 million shares for $1.2 billion on March 31, 2023 (1).",
            "Borrowing costs rose by 12 bps, net debt is 1.5x equity, and cash was €3.4bn."),
        true);
  }

  /** Two tables, no stance. */
  static Evidence twoTables() {
    return new Evidence(
        "Northwind and Southwind",
        "Which issuer had the higher revenue in 2019, assuming 20 % growth?",
        List.of(
            new Evidence.Table(
                "Northwind, € thousands",
                List.of(List.of("", "2019", "2018"), List.of("Revenue", "700", "0"))),
            new Evidence.Table(
                "Southwind ($ in millions)",
                List.of(List.of("", "2019"), List.of("Revenue", "700"), List.of("Staff", "12")))),
        List.of());
  }
}
