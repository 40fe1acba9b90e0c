-- One row per event, written before it is worked on. The lease says who works on it and until when.
create table inbox (
  event_key    text primary key,          -- source#id, the CloudEvents identity
  event_id     text        not null,
  event_source text        not null,
  event_type   text        not null,
  subject      text        not null,
  event_time   timestamptz,
  data         jsonb       not null,
  origin       text        not null,      -- topic/partition/offset/timestamp of the record that brought it first
  record_key   bytea,
  headers      jsonb       not null default '{}',
  raw          bytea       not null,      -- the record's value as it came, for the dead letter topic
  raw_sha256   text        not null,
  status       text        not null default 'received'
               check (status in ('received', 'done', 'dead')),
  lease_owner  text,
  lease_until  timestamptz,
  attempts     integer     not null default 0,
  duplicates   integer     not null default 0,
  last_error   text,
  received_at  timestamptz not null default now(),
  finished_at  timestamptz
);
create index inbox_open on inbox (lease_until nulls first) where status = 'received';
create index inbox_origin on inbox (origin);

create table analysis (
  id               uuid primary key,
  event_key        text        not null unique references inbox,
  event_type       text        not null,
  subject          text        not null,
  title            text        not null,
  evidence         jsonb       not null,  -- dev.reckoner.reasoning.Evidence
  chain            text        not null,  -- as the model wrote it
  answer           text        not null,  -- the conclusion, as text
  confidence       double precision not null,  -- 0..1, see the documentation of Analysis
  verified_steps   integer     not null,
  failed_steps     integer     not null,
  status           text        not null default 'pending'
                   check (status in ('pending', 'approved', 'corrected', 'rejected')),
  base_model_hash  text        not null,
  adapter_id       text        not null,  -- 'base' where no adapter was applied
  adapter_hash     text        not null,
  prompt_version   text        not null,
  grammar_version  text        not null,
  sampler          jsonb       not null,
  seed             bigint      not null,
  engine_build     text        not null,
  backend          text        not null,
  prompt_tokens    integer     not null,
  generated_tokens integer     not null,
  millis           bigint      not null,
  created_at       timestamptz not null default now(),
  version          integer     not null default 0   -- optimistic lock of the review
);
create index analysis_queue on analysis (failed_steps desc, confidence, created_at) where status = 'pending';
create index analysis_subject on analysis (subject);

create table analysis_step (
  analysis_id uuid    not null references analysis on delete cascade,
  position    integer not null,
  kind        text    not null check (kind in ('cite', 'compute', 'infer', 'conclude')),
  text        text    not null,           -- the step's line in the chain
  verdict     text    not null,
  reason      text    not null,
  places      jsonb   not null,           -- the places of the evidence it rests on
  primary key (analysis_id, position)
);

-- Written in the transaction of what it announces; a relay publishes it and marks it. A dead letter
-- carries the record it came from: its key and value as bytes, and its origin, which makes it unique.
create table outbox (
  id           bigint generated always as identity primary key,
  topic        text        not null,
  key          text        not null,
  headers      jsonb       not null default '{}',
  payload      text,
  raw_key      bytea,
  raw          bytea,
  origin       text unique,
  attempts     integer     not null default 0,
  next_attempt timestamptz not null default now(),
  last_error   text,
  created_at   timestamptz not null default now(),
  published_at timestamptz,
  check (payload is not null or raw is not null)
);
create index outbox_open on outbox (id) where published_at is null;
