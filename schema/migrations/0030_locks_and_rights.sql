-- Who reads for long keeps nobody waiting, and no role may what it does not do.
SET LOCAL search_path = sealgate;

-- A month that is made by PARTITION OF takes its parent for itself: behind a report or a backup that reads the parent
-- it waits, and behind it wait all who write. By ATTACH it is made beside readers and writers. The new table is empty,
-- so that nothing is scanned; its indexes and triggers come with ATTACH, its sequences (audit.id) are the parent's.
CREATE OR REPLACE FUNCTION partitions_ensure(first date, months integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = sealgate, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    t text;
    month date;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('sealgate.partitions_ensure'));
    FOR i IN 0..months - 1 LOOP
        month := date_trunc('month', first) + make_interval(months => i);
        FOR t IN SELECT relname FROM pg_class
                 WHERE relkind = 'p' AND relnamespace = 'sealgate'::regnamespace ORDER BY relname LOOP
            name := t || to_char(month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(quote_ident(name)) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING COMMENTS EXCLUDING IDENTITY
                            EXCLUDING INDEXES EXCLUDING STATISTICS)', name, t);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                t, name, month, month + interval '1 month');
        END LOOP;
    END LOOP;
END $$;
