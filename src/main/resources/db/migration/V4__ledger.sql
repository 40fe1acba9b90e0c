-- Append-only and hash-chained: each entry's hash covers the one before it.
create table ledger (
  seq           bigint primary key,
  at            text  not null,           -- ISO-8601 instant, kept as the text that was hashed
  kind          text  not null,
  actor         text  not null,
  subject       text  not null,
  payload       text  not null,           -- canonical JSON
  previous_hash text  not null,
  hash          text  not null unique
);
create index ledger_subject on ledger (subject);

-- The last entry. Appending locks this row, so entries are in commit order and leave no gap.
create table ledger_head (
  one  boolean primary key default true check (one),
  seq  bigint not null,
  hash text   not null
);
insert into ledger_head (seq, hash) values (0, repeat('0', 64));

create function ledger_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'the ledger is append-only';
end $$;
create trigger ledger_append_only before update or delete or truncate on ledger
  for each statement execute function ledger_is_append_only();
