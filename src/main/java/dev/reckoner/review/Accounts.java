package dev.reckoner.review;

import io.quarkus.elytron.security.common.BcryptUtil;
import jakarta.enterprise.context.ApplicationScoped;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jdbi.v3.core.Jdbi;

/** Who may sign in, with bcrypt-hashed passwords in Postgres. */
@ApplicationScoped
public class Accounts {

  /** Every role, the weakest first; an owner may do what a reviewer may, and so on. */
  public static final Set<String> ROLES = Set.of("viewer", "reviewer", "owner", "service");

  /** The name of the first account of a new database. */
  public static final String FIRST = "owner";

  private static final int BCRYPT_COST = 10;
  private static final int BCRYPT_MAX_BYTES = 72;
  private static final int MIN_LENGTH = 12;
  // No 0/O and 1/l/I: a generated password is read off a terminal.
  private static final String ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

  private final Jdbi jdbi;
  private final SecureRandom random = new SecureRandom();

  /** For use outside the application, too, as to reset a password while it is stopped. */
  public Accounts(Jdbi jdbi) {
    this.jdbi = jdbi;
  }

  /** A name with its password in clear; shown once and kept nowhere. */
  public record Login(String name, String password) {

    @Override
    public String toString() {
      return "Login[" + name + "]";
    }
  }

  /** An account without its secret. */
  public record Account(String name, String role, boolean enabled) {}

  /**
   * Creates the account {@value #FIRST} where there is no account at all.
   *
   * @return its login, or empty if there are accounts already
   */
  public Optional<Login> ensureOwner() {
    Login login = new Login(FIRST, randomPassword());
    int created =
        jdbi.withHandle(
            handle ->
                handle.execute(
                    "insert into account (name, password_hash, role) select ?, ?, 'owner'"
                        + " where not exists (select 1 from account) on conflict do nothing",
                    login.name(),
                    hash(login.password())));
    return created == 1 ? Optional.of(login) : Optional.empty();
  }

  /**
   * Creates an account.
   *
   * @throws IllegalArgumentException if the name is taken or malformed, the role unknown, or the
   *     password shorter than 12 characters or longer than bcrypt's 72 bytes
   */
  public void create(String name, String password, String role) {
    if (!name.matches("[a-z0-9][a-z0-9._-]{1,39}")) {
      throw new IllegalArgumentException(
          "An account name has 2 to 40 of a-z, 0-9, '.', '_' and '-': " + name);
    }
    if (!ROLES.contains(role)) {
      throw new IllegalArgumentException("There is no role " + role + "; roles are " + ROLES);
    }
    String hash = hash(checked(password));
    int created =
        jdbi.withHandle(
            handle ->
                handle.execute(
                    "insert into account (name, password_hash, role) values (?, ?, ?)"
                        + " on conflict do nothing",
                    name,
                    hash,
                    role));
    if (created == 0) {
      throw new IllegalArgumentException("There is an account " + name + " already");
    }
  }

  /**
   * Creates an account with a random password.
   *
   * @throws IllegalArgumentException as {@link #create(String, String, String)}
   */
  public Login create(String name, String role) {
    Login login = new Login(name, randomPassword());
    create(name, login.password(), role);
    return login;
  }

  /**
   * Lets an account sign in, or no longer; its decisions stay either way.
   *
   * @throws IllegalArgumentException if there is no such account
   */
  public void enable(String name, boolean enabled) {
    int changed =
        jdbi.withHandle(
            handle ->
                handle.execute(
                    "update account set disabled_at = case when ? then null else now() end"
                        + " where name = ?",
                    enabled,
                    name));
    if (changed == 0) {
      throw new IllegalArgumentException("There is no account " + name);
    }
  }

  /**
   * Gives an account a new random password and enables it.
   *
   * @throws IllegalArgumentException if there is no such account
   */
  public Login resetPassword(String name) {
    Login login = new Login(name, randomPassword());
    String hash = hash(login.password());
    int changed =
        jdbi.withHandle(
            handle ->
                handle.execute(
                    "update account set password_hash = ?, disabled_at = null where name = ?",
                    hash,
                    name));
    if (changed == 0) {
      throw new IllegalArgumentException("There is no account " + name);
    }
    return login;
  }

  /** All accounts by name. */
  public List<Account> all() {
    return jdbi.withHandle(
        handle ->
            handle
                .createQuery("select name, role, disabled_at is null from account order by name")
                .map((rs, ctx) -> new Account(rs.getString(1), rs.getString(2), rs.getBoolean(3)))
                .list());
  }

  private static String checked(String password) {
    if (password.length() < MIN_LENGTH) {
      throw new IllegalArgumentException("A password has at least 12 characters");
    }
    if (password.getBytes(StandardCharsets.UTF_8).length > BCRYPT_MAX_BYTES) {
      throw new IllegalArgumentException("A password has at most 72 bytes");
    }
    return password;
  }

  private static String hash(String password) {
    return BcryptUtil.bcryptHash(password, BCRYPT_COST);
  }

  private String randomPassword() {
    StringBuilder password = new StringBuilder();
    for (int i = 0; i < 20; i++) {
      if (i > 0 && i % 5 == 0) {
        password.append('-');
      }
      password.append(ALPHABET.charAt(random.nextInt(ALPHABET.length())));
    }
    return password.toString();
  }
}
