-- A new partition takes its table for a moment from everybody. Behind a long reader (a dump, a report) it waited as long as
-- statement_timeout lets it, and the mail behind it, hour after hour; so it gives up as disposal_partition() does, and is tried again.
SET LOCAL search_path = sealgate;

ALTER FUNCTION partitions_ensure(date, integer) SET lock_timeout = '2s';
