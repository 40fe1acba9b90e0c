-- Blind second reviews: a blind decision is an opinion, given without sight of the other one. It
-- decides nothing by itself; the analysis waits until a second person agrees, or a third decides.
alter table decision add column blind boolean not null default false;
create index decision_blind on decision (analysis_id) where blind;
alter table analysis add column disputed boolean not null default false;  -- two opinions that differ

-- Right chains with an error put in, to learn how much a reviewer misses. They stand in the queue
-- like any other; nothing of them is published, exported or learned from.
create table planted (
  analysis_id uuid primary key references analysis on delete cascade,
  source_id   uuid        not null references analysis,  -- the approved chain it was made from
  wrong_step  integer     not null,                      -- where the error is, from 0
  error       text        not null,                      -- what it is, for whoever has decided
  made_for    text        not null references account,
  created_at  timestamptz not null default now()
);
create index planted_for on planted (made_for);

-- Opinions do not stand by themselves, and what is planted is no decision about anything.
create or replace view standing_decision as
  select distinct on (d.analysis_id) d.*
  from decision d
  where d.kind <> 'undo' and not d.blind
    and not exists (select 1 from decision u where u.undoes = d.id)
    and not exists (select 1 from planted p where p.analysis_id = d.analysis_id)
  order by d.analysis_id, d.decided_at desc;

-- What each reviewer made of planted errors. Their first decision counts: who was told cannot
-- find it any more. Hasty are decisions in under two seconds.
create view reviewer_vigilance as
  select reviewer, count(*) as planted,
         count(*) filter (where kind = 'approve') as missed,
         count(*) filter (where dwell_millis < 2000) as hasty,
         count(*) filter (where dwell_millis < 2000 and kind = 'approve') as hasty_missed
  from (select distinct on (d.analysis_id, d.reviewer) d.reviewer, d.kind, d.dwell_millis
        from decision d join planted p on p.analysis_id = d.analysis_id
        where d.kind <> 'undo'
        order by d.analysis_id, d.reviewer, d.decided_at) first
  group by reviewer;

-- Who feeds training: everybody but those who, having met enough planted errors, missed too many.
-- The program writes its configuration here when it starts.
create table review_policy (
  one             boolean primary key default true check (one),
  planted_minimum integer          not null,
  max_miss_rate   double precision not null
);
insert into review_policy (planted_minimum, max_miss_rate) values (5, 0.3);

create view trusted_decision as
  select d.* from standing_decision d
  where not exists (
    select 1 from reviewer_vigilance v, review_policy p
    where v.reviewer = d.reviewer and v.planted >= p.planted_minimum
      and v.missed > p.max_miss_rate * v.planted);
