-- The few that two people differ about, for those who may settle them.
create index analysis_disputed on analysis (id) where disputed and status = 'pending';
