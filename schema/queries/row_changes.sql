-- How often rows of these tables were changed, by the server's own count, and the file that they lie in, which
-- is another one after TRUNCATE. None where the server does not count.
SELECT c.relname::text,
    pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid),
    pg_relation_filenode(c.oid)::int8
FROM pg_class c
WHERE c.relnamespace = 'sealgate'::regnamespace AND c.relkind = 'r' AND c.relname = ANY ($1::text[])
  AND current_setting('track_counts')::bool
