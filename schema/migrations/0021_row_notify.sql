-- What gatewayd keeps of these tables is dropped row by row: channel sealgate_row, payload the table and the
-- key by which its rows are asked for, "next_hop dom_…"; the table alone is for all of its rows.
SET LOCAL search_path = sealgate;

-- Arguments: the keys of a row, then the columns of which it depends what is kept (an update of others
-- says nothing). A transaction names a hundred rows at most; of what is beyond it names the table.
CREATE FUNCTION row_notify() RETURNS trigger LANGUAGE plpgsql
    SET search_path = sealgate, pg_temp AS $$
DECLARE
    changed text := CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT * FROM new_rows'
        WHEN 'DELETE' THEN 'SELECT * FROM old_rows'
        ELSE format('(SELECT %1$s FROM new_rows EXCEPT SELECT %1$s FROM old_rows) UNION
                     (SELECT %1$s FROM old_rows EXCEPT SELECT %1$s FROM new_rows)', TG_ARGV[1]) END;
    keys text[];
    said integer := coalesce(nullif(current_setting('app.rows_said', true), ''), '0');
    key text;
BEGIN
    EXECUTE format('SELECT array_agg(DISTINCT key) FROM (%s) changed, unnest(ARRAY[%s]::text[]) key',
                   changed, TG_ARGV[0]) INTO keys;
    said := said + coalesce(cardinality(keys), 0);
    IF said > 100 OR array_position(keys, NULL) IS NOT NULL THEN
        PERFORM pg_notify('sealgate_row', TG_TABLE_NAME);
        RETURN NULL;
    END IF;
    FOREACH key IN ARRAY coalesce(keys, '{}') LOOP
        PERFORM pg_notify('sealgate_row', TG_TABLE_NAME || ' ' || key);
    END LOOP;
    PERFORM set_config('app.rows_said', said::text, true);
    RETURN NULL;
END $$;

-- The names of the triggers stand before "notify", and so do their words: whoever is woken by that finds
-- what is new.
DO $$
DECLARE
    t record;
    event text[];
BEGIN
    FOR t IN SELECT * FROM (VALUES
        ('tenant', 'id', 'id, name, state'),
        ('domain', 'id, name', 'id, tenant_id, name, environment, state'),
        ('submitter', 'id', '*'),
        ('next_hop', 'domain_id', '*'),
        ('hsm_key', 'domain_id', 'domain_id, id, kind, state, blob'),
        -- a partner's certificate may be one of ours: that is out of use when it is revoked here
        ('certificate', 'domain_id, CASE state WHEN ''revoked'' THEN state ELSE domain_id END',
            'domain_id, id, key_id, state, der, chain'),
        ('member_domain', 'name', 'name, environment'),
        ('smime_exception', 'domain_id', '*'),
        ('domain_anchor', 'domain_id', '*'),
        ('policy', 'domain_id', 'domain_id, tenant_id, settings'), -- a tenant's: all of them
        ('crl_bypass', 'encode(sha256, ''hex'')', '*'),
        ('partner_certificate', 'domain',
            'domain, sha256, source, state, confirmed, authority, stored_at, not_before, not_after'),
        ('partner_capability', 'domain', '*')) AS known (name, keys, columns)
    LOOP
        FOREACH event SLICE 1 IN ARRAY ARRAY[
            ['INSERT', 'NEW TABLE AS new_rows'],
            ['UPDATE', 'NEW TABLE AS new_rows OLD TABLE AS old_rows'],
            ['DELETE', 'OLD TABLE AS old_rows']] LOOP
            EXECUTE format('CREATE TRIGGER a_row_notify_%s AFTER %s ON %I REFERENCING %s
                            FOR EACH STATEMENT EXECUTE FUNCTION row_notify(%L, %L)',
                           lower(event[1]), event[1], t.name, event[2], t.keys, t.columns);
        END LOOP;
    END LOOP;
END $$;
