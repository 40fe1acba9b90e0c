-- An immutable snapshot of what a run learns from, named by the SHA-256 over its files.
create table dataset (
  hash        text primary key,
  samples     integer     not null,       -- supervised conversations from validated chains
  preferences integer     not null,       -- pairs from corrections
  rejections  integer     not null,       -- kept for later methods, never trained on by SFT
  replay      integer     not null,       -- synthetic conversations that keep earlier skills
  card        jsonb       not null,       -- counts, sources, versions, suites it was scanned against
  created_by  text        not null,
  created_at  timestamptz not null default now()
);

-- From a correction to the dataset that learned from it, and back.
create table dataset_item (
  dataset_hash text    not null references dataset,
  analysis_id  uuid    not null references analysis,
  use          text    not null check (use in ('approved', 'corrected', 'rejected')),
  primary key (dataset_hash, analysis_id)
);
create index dataset_item_analysis on dataset_item (analysis_id);

create table training_run (
  id                  uuid primary key,
  status              text        not null default 'queued'
                      check (status in ('queued', 'building', 'training', 'evaluating', 'passed',
                                        'promoted', 'refused', 'failed', 'cancelled')),
  promote_if_passed   boolean     not null,
  cancel_requested    boolean     not null default false,
  recipe              jsonb       not null,
  base_model_hash     text,
  dataset_hash        text references dataset,
  adapter_id          text,               -- the candidate, once its files are registered
  backend             text,
  step                integer     not null default 0,
  steps               integer     not null default 0,
  loss                double precision,
  message             text        not null default '',
  worker              text,               -- the process that works on it
  heartbeat_at        timestamptz,        -- when it last said so; silence lets another take over
  started_by          text        not null,
  created_at          timestamptz not null default now(),
  started_at          timestamptz,
  finished_at         timestamptz
);
create index training_run_recent on training_run (created_at desc);
-- One run at a time, whatever the number of replicas.
create unique index training_run_active on training_run ((true))
  where status in ('queued', 'building', 'training', 'evaluating');

create table training_loss (
  run_id        uuid             not null references training_run,
  step          integer          not null,
  loss          double precision not null,
  learning_rate double precision not null,
  at            timestamptz      not null default now(),
  primary key (run_id, step)
);

create table adapter (
  id              text primary key,
  sha256          text        not null,   -- of the sorted list of its files and their hashes
  base_model_hash text        not null,
  run_id          uuid references training_run,
  dataset_hash    text references dataset,
  gate            jsonb,                  -- the evidence: every number of the gate and its verdict
  passed          boolean     not null,
  created_at      timestamptz not null default now()
);

-- The files themselves, so that every replica fetches them from the one truth.
create table adapter_file (
  adapter_id text  not null references adapter,
  name       text  not null,
  sha256     text  not null,
  content    bytea not null,
  primary key (adapter_id, name)
);

-- Who serves where. No row, or a null adapter: the base model without an adapter.
create table adapter_alias (
  slot       text        not null,
  alias      text        not null check (alias in ('champion', 'candidate', 'shadow')),
  adapter_id text references adapter,
  changed_by text        not null,
  changed_at timestamptz not null default now(),
  primary key (slot, alias)
);

-- Every change of the champion, in order; a rollback goes back along it.
create table adapter_release (
  id          bigint generated always as identity primary key,
  slot        text        not null,
  adapter_id  text references adapter,    -- null: the base model
  previous_id text references adapter,
  kind        text        not null check (kind in ('promotion', 'rollback')),
  released_by text        not null,
  released_at timestamptz not null default now()
);
create index adapter_release_slot on adapter_release (slot, id desc);
