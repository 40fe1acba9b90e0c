-- What the adapter under the alias shadow wrote about an event that the champion has analysed. It is
-- published nowhere; where the two differ, somebody says who is right without knowing who is who.
create table shadow_analysis (
  id           uuid primary key,
  analysis_id  uuid        not null references analysis on delete cascade,  -- the champion's
  adapter_id   text        not null references adapter,
  chain        text        not null,      -- empty where it did not conclude
  agrees       boolean     not null,      -- the same steps and the same conclusion
  first_step   integer,                   -- the first step that differs, from 0
  same_answer  boolean     not null,
  swapped      boolean     not null,      -- whether the blind review shows the shadow's chain first
  millis       bigint      not null,
  created_at   timestamptz not null default now(),
  label        text check (label in ('champion', 'shadow', 'both', 'neither')),
  labelled_by  text references account,
  labelled_at  timestamptz,
  unique (analysis_id, adapter_id),
  check ((label is null) = (labelled_by is null))
);
create index shadow_open on shadow_analysis (created_at) where not agrees and label is null;

-- Questions of the gate that were labelled blind. They judge and never train.
create table gate_item (
  analysis_id uuid primary key references analysis,
  chain       text        not null,       -- the right one
  labelled_by text        not null references account,
  labelled_at timestamptz not null default now()
);

-- When the files and the evidence of an adapter were removed; its row stays, for the lineage.
alter table adapter add column removed_at timestamptz;
