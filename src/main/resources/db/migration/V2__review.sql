create table account (
  name          text primary key,
  password_hash text        not null,     -- bcrypt, modular crypt format
  role          text        not null check (role in ('viewer', 'reviewer', 'owner', 'service')),
  created_at    timestamptz not null default now(),
  disabled_at   timestamptz               -- a disabled account cannot sign in; its decisions stay
);

-- Who looks at an analysis now. A write must carry the token of the lease it was made under, so
-- that a browser that slept past its lease cannot overwrite the work of the next reviewer.
create sequence review_lease_token;
create table review_lease (
  analysis_id uuid primary key references analysis on delete cascade,
  holder      text        not null references account,
  token       bigint      not null,
  lease_until timestamptz not null
);

-- Append-only. An undo is a decision of its own, so that the history stays.
create table decision (
  id               uuid primary key,      -- chosen by the client: a repeated request is one decision
  analysis_id      uuid        not null references analysis,
  reviewer         text        not null references account,
  kind             text        not null check (kind in ('approve', 'correct', 'reject', 'undo')),
  first_wrong_step integer,               -- position in the original chain, from 0
  reason_tag       text,
  note             text        not null default '',
  chain            text,                  -- the corrected chain, of a correction
  verdicts         jsonb,                 -- of the corrected chain, one object a step
  undoes           uuid unique references decision,
  dwell_millis     bigint      not null,
  analysis_version integer     not null,  -- the version that was looked at
  decided_at       timestamptz not null default now(),
  check ((kind = 'correct') = (chain is not null)),
  check ((kind = 'undo') = (undoes is not null))
);
create index decision_analysis on decision (analysis_id, decided_at desc);
create index decision_reviewer on decision (reviewer, decided_at desc);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name;
end $$;
create trigger decision_append_only before update or delete on decision
  for each row execute function refuse_change();

-- The decision that holds for each analysis: the latest that was not undone.
create view standing_decision as
  select distinct on (d.analysis_id) d.*
  from decision d
  where d.kind <> 'undo' and not exists (select 1 from decision u where u.undoes = d.id)
  order by d.analysis_id, d.decided_at desc;

create index analysis_status on analysis (status, created_at desc);
