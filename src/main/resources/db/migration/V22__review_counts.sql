-- Few values, so that the index stays small and a count reads nothing else.
create index analysis_counts on analysis (status, failed_steps);
drop index analysis_status;
create index analysis_status on analysis (status, created_at desc);
