package dev.reckoner.corpus;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * One synthetic company: its name and statements over some years. The statements are consistent:
 * gross profit is revenue less cost of sales in the figures as published, assets equal liabilities
 * and equity, and so on down to earnings per share.
 */
final class World {

  /** The roles of each statement, in the order in which statements list them. */
  static final Map<String, List<String>> STATEMENTS = statements();

  private final SplittableRandom random;
  private final int decimals;
  private final Map<String, BigDecimal[]> values = new LinkedHashMap<>();
  final String name;
  final String ticker;
  final String scale;
  final int firstYear;
  final int years;

  World(SyntheticPack.Companies names, boolean heldOut, SplittableRandom random) {
    this.random = random;
    String stem =
        Wording.pick(names.first(), random)
            + Wording.pick(names.middle(), random)
            + Wording.pick(heldOut ? names.heldOutLast() : names.last(), random);
    name = stem + " " + Wording.pick(names.forms(), random);
    ticker = stem.substring(0, 3 + random.nextInt(2)).toUpperCase(java.util.Locale.ROOT);
    scale =
        Wording.pick(
            List.of("million", "million", "million", "thousand", "thousand", "billion", ""),
            random);
    decimals = scale.equals("billion") ? 1 + random.nextInt(2) : Math.max(0, random.nextInt(6) - 4);
    years = 2 + random.nextInt(4);
    firstYear = 1999 + random.nextInt(26 - years);
    fill();
  }

  /** One value a year, in {@link #scale}. */
  BigDecimal[] of(String role) {
    return values.get(role);
  }

  private static Map<String, List<String>> statements() {
    Map<String, List<String>> all = new LinkedHashMap<>();
    all.put(
        "Consolidated statements of income",
        List.of(
            "revenue",
            "costOfSales",
            "grossProfit",
            "research",
            "selling",
            "operatingIncome",
            "interestExpense",
            "incomeBeforeTax",
            "incomeTax",
            "netIncome",
            "eps",
            "dividend",
            "shares"));
    all.put(
        "Consolidated balance sheets",
        List.of(
            "cash",
            "receivables",
            "inventory",
            "otherCurrentAssets",
            "currentAssets",
            "property",
            "goodwill",
            "totalAssets",
            "payables",
            "shortTermDebt",
            "currentLiabilities",
            "longTermDebt",
            "totalLiabilities",
            "equity"));
    all.put(
        "Consolidated statements of cash flows",
        List.of(
            "netIncome",
            "depreciation",
            "operatingCashFlow",
            "capitalExpenditure",
            "acquisitions",
            "repurchases",
            "dividendsPaid",
            "freeCashFlow"));
    all.put(
        "Selected financial data",
        List.of(
            "revenue",
            "operatingIncome",
            "netIncome",
            "ebitda",
            "totalAssets",
            "totalDebt",
            "cash",
            "equity",
            "eps",
            "dividend",
            "price",
            "employees",
            "stores",
            "taxRate",
            "marginRate",
            "comparableGrowth",
            "interestExpense",
            "longTermDebt"));
    return all;
  }

  private void fill() {
    double size =
        switch (scale) {
          case "billion" -> Math.exp(between(0.5, 5.5));
          case "million" -> Math.exp(between(4.5, 11.5));
          case "thousand" -> Math.exp(between(9.5, 15.5));
          default -> Math.exp(between(14, 18));
        };
    double cost = between(0.3, 0.8);
    double rnd = between(0, 0.12);
    double sga = between(0.05, 0.3);
    double shareCount = between(20, 2000);
    double revenue = size;
    for (int y = 0; y < years; y++) {
      revenue *= 1 + gauss(0.05, 0.12);
      cost = clamp(cost + gauss(0, 0.02), 0.25, 0.85);
      BigDecimal sales = put("revenue", y, revenue);
      BigDecimal cogs = put("costOfSales", y, revenue * cost);
      BigDecimal gross = set("grossProfit", y, sales.subtract(cogs));
      BigDecimal research = put("research", y, revenue * rnd * between(0.9, 1.1));
      BigDecimal selling = put("selling", y, revenue * sga * between(0.9, 1.1));
      BigDecimal operating = set("operatingIncome", y, gross.subtract(research).subtract(selling));
      BigDecimal interest = put("interestExpense", y, revenue * between(0.002, 0.04));
      BigDecimal pretax = set("incomeBeforeTax", y, operating.subtract(interest));
      double rate = between(0.12, 0.38);
      BigDecimal tax = put("incomeTax", y, pretax.doubleValue() * rate);
      BigDecimal net = set("netIncome", y, pretax.subtract(tax));
      shareCount *= between(0.95, 1.03);
      set("shares", y, decimal(shareCount, random.nextInt(2)));
      double perShare = clamp(net.doubleValue() / size * between(1, 12), -9, 40);
      BigDecimal eps = set("eps", y, decimal(perShare == 0 ? 0.5 : perShare, 2));
      set(
          "dividend",
          y,
          decimal(Math.max(0.05, Math.abs(eps.doubleValue()) * between(0.1, 0.6)), 2));
      set("price", y, decimal(Math.max(2, Math.abs(eps.doubleValue()) * between(8, 30)), 2));
      BigDecimal depreciation = put("depreciation", y, revenue * between(0.02, 0.1));
      set("ebitda", y, operating.add(depreciation));
      BigDecimal cashFlow = put("operatingCashFlow", y, revenue * between(0.06, 0.3));
      BigDecimal capex = put("capitalExpenditure", y, revenue * between(0.02, 0.12));
      set("freeCashFlow", y, cashFlow.subtract(capex));
      put("repurchases", y, revenue * between(0.01, 0.1));
      put("dividendsPaid", y, revenue * between(0.01, 0.06));
      put("acquisitions", y, revenue * between(0.005, 0.15));
      balance(y, revenue);
      set("employees", y, decimal(between(300, 90000), 0));
      set("stores", y, decimal(between(30, 4000), 0));
      set("taxRate", y, decimal(rate * 100, 1));
      set("marginRate", y, decimal(between(2, 60), 1));
      set("comparableGrowth", y, decimal(gauss(3, 3), 1));
    }
  }

  private void balance(int y, double revenue) {
    BigDecimal cash = put("cash", y, revenue * between(0.03, 0.4));
    BigDecimal receivables = put("receivables", y, revenue * between(0.05, 0.25));
    BigDecimal inventory = put("inventory", y, revenue * between(0.03, 0.25));
    BigDecimal other = put("otherCurrentAssets", y, revenue * between(0.01, 0.06));
    BigDecimal current = set("currentAssets", y, cash.add(receivables).add(inventory).add(other));
    BigDecimal property = put("property", y, revenue * between(0.1, 0.9));
    BigDecimal goodwill = put("goodwill", y, revenue * between(0.05, 0.7));
    BigDecimal assets = set("totalAssets", y, current.add(property).add(goodwill));
    double a = assets.doubleValue();
    BigDecimal payables = put("payables", y, a * between(0.05, 0.2));
    BigDecimal shortDebt = put("shortTermDebt", y, a * between(0.01, 0.12));
    BigDecimal currentLiabilities =
        set(
            "currentLiabilities",
            y,
            payables.add(shortDebt).add(decimal(a * between(0.02, 0.15), decimals)));
    BigDecimal longDebt = put("longTermDebt", y, a * between(0.05, 0.4));
    set("totalDebt", y, shortDebt.add(longDebt));
    BigDecimal liabilities = set("totalLiabilities", y, currentLiabilities.add(longDebt));
    set("equity", y, assets.subtract(liabilities));
  }

  /** The size of a note's figures, small against the statements. */
  double noteSize() {
    return scale.equals("billion") ? Math.exp(between(0, 4)) : Math.exp(between(2, 9));
  }

  /** An amount of money of about that size, as this company publishes it. */
  BigDecimal amount(double value) {
    return decimal(value, decimals);
  }

  private BigDecimal put(String role, int year, double value) {
    return set(role, year, amount(value));
  }

  private BigDecimal set(String role, int year, BigDecimal value) {
    values.computeIfAbsent(role, r -> new BigDecimal[years])[year] = value;
    return value;
  }

  static BigDecimal decimal(double value, int decimals) {
    return BigDecimal.valueOf(value).setScale(decimals, RoundingMode.HALF_UP);
  }

  double between(double low, double high) {
    return low + (high - low) * random.nextDouble();
  }

  /** A normal deviate, from the sum of twelve uniforms. */
  private double gauss(double mean, double deviation) {
    double sum = -6;
    for (int i = 0; i < 12; i++) {
      sum += random.nextDouble();
    }
    return mean + deviation * sum;
  }

  private static double clamp(double value, double low, double high) {
    return Math.max(low, Math.min(high, value));
  }
}
