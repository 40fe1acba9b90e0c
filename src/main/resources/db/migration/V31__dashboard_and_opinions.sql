-- The analyses of the last days by day and whether a step failed, without reading them.
create index analysis_day on analysis (created_at, failed_steps);

-- What was said blind, for the counts and lists of those who said it.
create index decision_opinion on decision (reviewer, analysis_id) where blind;
