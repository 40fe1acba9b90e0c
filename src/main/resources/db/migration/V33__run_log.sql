-- What a training run did, for people: a line for each thing, in order.
create table training_log (
  id     bigint generated always as identity primary key,
  run_id uuid        not null references training_run,
  at     timestamptz not null default now(),
  line   text        not null
);
create index training_log_run on training_log (run_id, id);
