-- The order of the queue as one ascending key, so that the page after a row is found by comparison:
-- what people disagree about, then failed steps, then low confidence, then age.
drop index analysis_queue;
create index analysis_queue on analysis
  (status, (not disputed), (-failed_steps), confidence, created_at, id);
create index analysis_order on analysis
  ((not disputed), (-failed_steps), confidence, created_at, id);

-- Counts and the values of the filters, without reading the analyses themselves.
drop index analysis_status;
create index analysis_status on analysis (status, created_at desc) include (failed_steps, id);
create index analysis_type on analysis (event_type);
create index analysis_adapter on analysis (adapter_id);

-- Search in any part of a word.
create extension if not exists pg_trgm;
create index analysis_search on analysis
  using gin ((title || ' ' || subject || ' ' || answer) gin_trgm_ops);
