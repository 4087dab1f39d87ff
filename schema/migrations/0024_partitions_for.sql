-- The months of what a gateway has to record: where tenantd, which makes them ahead of time, has long been down, and where a
-- node's clock was wrong, there is none; and one record that finds no place would hold up all that come after it.
SET LOCAL search_path = sealgate;

CREATE FUNCTION partitions_for(times timestamptz[]) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = sealgate, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    month date;
BEGIN
    FOR month IN SELECT DISTINCT date_trunc('month', t)::date FROM unnest(times) AS t ORDER BY 1 LOOP
        PERFORM partitions_ensure(month, 1);
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION partitions_for(timestamptz[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION partitions_for(timestamptz[]) TO sg_gateway;
