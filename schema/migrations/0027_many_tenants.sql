-- What is counted and deleted for each tenant costs what it finds, and not the log once for each tenant.
SET LOCAL search_path = sealgate;

-- Indexes take a while, in which nobody writes the log; whoever does now is waited for before that work is begun.
LOCK TABLE message_recipient, message_code, trace_event IN SHARE MODE;

-- A tenant's rows of a time: for its reports, and for deletion. Nothing asks by msg_id alone: who knows a message knows when
-- it was received, and then the primary key serves. Not by outcome_at too: a later outcome would have to write every index.
CREATE INDEX message_recipient_tenant ON message_recipient (tenant_id, received_at);
CREATE INDEX message_code_tenant ON message_code (tenant_id, received_at);
CREATE INDEX trace_event_tenant ON trace_event (tenant_id, received_at);

-- Deletion by retention policy (REQ-133, 117) ----------------------------------------------------------

-- The cutoff of each tenant, and of the platform's own rows (NULL).
CREATE FUNCTION retention_cutoffs(of_class text, at timestamptz)
    RETURNS TABLE (tenant_id text, cutoff timestamptz) LANGUAGE sql STABLE SET search_path = sealgate, pg_temp AS $$
    SELECT t.id, retention_cutoff(t.id, of_class, at) FROM tenant t
    UNION ALL SELECT NULL, retention_cutoff(NULL, of_class, at)
$$;

-- As in 0007, partition by partition: `most` rows out of one, until there are none. In these functions no plan may read a
-- table through in the hope of a tenant's row, which most partitions have not.
CREATE OR REPLACE FUNCTION disposal_rows(of_relation text, tenant text, now timestamptz, most integer)
    RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = sealgate, pg_temp
    SET timezone = 'UTC' SET enable_seqscan = off AS $$
DECLARE
    t record;
    cut timestamptz;
    part text;
    gone text;
    n bigint;
    first timestamptz;
    last timestamptz;
BEGIN
    SELECT r.* INTO STRICT t FROM retention_tables() r WHERE r.relation = of_relation;
    cut := retention_cutoff(tenant, t.class, now);
    IF cut IS NULL THEN
        RETURN 0;
    END IF;
    gone := format('tenant_id %s AND %I < $2 AND %s', CASE WHEN tenant IS NULL THEN 'IS NULL' ELSE '= $1' END, t.age, t.ended);
    EXECUTE format('SELECT tableoid::regclass FROM %I WHERE %s LIMIT 1', t.relation, gone) INTO part USING tenant, cut;
    IF part IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE format('WITH gone AS (DELETE FROM %1$s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$s WHERE %2$s LIMIT $3))
                                  AND %2$s RETURNING %3$I AS age)
                    SELECT count(*), min(age), max(age) FROM gone', part, gone, t.age)
        INTO n, first, last USING tenant, cut, most;
    IF n > 0 THEN
        INSERT INTO disposal AS d (id, at, class, tenant_id, method, relation, rows, oldest, newest, cutoff,
                                   policy, actor)
        VALUES (id_new('dsp'), now, t.class, tenant, 'rows', t.relation, n, first, last, cut,
                format('%s older than %s', t.class, cut::date), current_setting('app.actor'))
        ON CONFLICT (class, tenant_id, relation, cutoff) WHERE method = 'rows' DO UPDATE
            SET at = excluded.at, rows = d.rows + excluded.rows, oldest = least(d.oldest, excluded.oldest),
                newest = greatest(d.newest, excluded.newest);
    END IF;
    RETURN n;
END $$;

-- As in 0007: drops the oldest partition in which nobody's rows must be kept.
CREATE OR REPLACE FUNCTION disposal_partition(now timestamptz) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = sealgate, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' SET enable_seqscan = off AS $$
DECLARE
    t record;
    p record;
    tenants text[];
    cutoffs timestamptz[];
    own timestamptz;
    kept boolean;
    n bigint;
    first timestamptz;
    last timestamptz;
BEGIN
    FOR t IN SELECT r.*, c.floor_months FROM retention_tables() r JOIN retention_class c ON c.class = r.class
             WHERE (SELECT relkind FROM pg_class WHERE oid = to_regclass(r.relation)) = 'p' LOOP
        SELECT array_agg(w.tenant_id) FILTER (WHERE w.tenant_id IS NOT NULL),
               array_agg(w.cutoff) FILTER (WHERE w.tenant_id IS NOT NULL), max(w.cutoff) FILTER (WHERE w.tenant_id IS NULL)
            INTO tenants, cutoffs, own FROM retention_cutoffs(t.class, now) w;
        FOR p IN SELECT c.relname, to_date(right(c.relname, 7), 'YYYY_MM')::timestamptz + interval '1 month' AS ends
                 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = to_regclass(t.relation) ORDER BY c.relname LOOP
            -- Mail that was held, or a journal that was away, may still speak of messages of some
            -- months ago: without their partition the feed would stand still.
            EXIT WHEN p.ends > now - make_interval(months => greatest(t.floor_months, 6));
            EXECUTE format('SELECT EXISTS (
                    SELECT FROM unnest($1, $2) AS w (tenant_id, cutoff)
                    WHERE coalesce(w.cutoff < $4, true) AND EXISTS (SELECT FROM %1$I r WHERE r.tenant_id = w.tenant_id))
                 OR coalesce($3 < $4, true) AND EXISTS (SELECT FROM %1$I r WHERE r.tenant_id IS NULL)
                 OR EXISTS (SELECT FROM %1$I r WHERE NOT (%2$s))', p.relname, t.ended)
                INTO kept USING tenants, cutoffs, own, p.ends;
            CONTINUE WHEN kept;
            PERFORM set_config('enable_seqscan', 'on', true); -- now all of it is read
            EXECUTE format('SELECT count(*), min(%1$I), max(%1$I) FROM %2$I', t.age, p.relname)
                INTO n, first, last;
            EXECUTE format('DROP TABLE %I', p.relname);
            INSERT INTO disposal (id, at, class, tenant_id, method, relation, rows, oldest, newest, cutoff,
                                  policy, actor)
            VALUES (id_new('dsp'), now, t.class, NULL, 'partition', p.relname, n,
                    coalesce(first, p.ends - interval '1 month'), coalesce(last, p.ends - interval '1 month'),
                    p.ends, format('%s before %s, beyond every tenant''s policy', t.class, p.ends::date),
                    current_setting('app.actor'));
            RETURN p.relname;
        END LOOP;
    END LOOP;
    RETURN NULL;
END $$;

-- What would go now, by table and tenant: of each counted up to so many (NULL: all).
DROP FUNCTION disposal_preview(text, timestamptz);
CREATE FUNCTION disposal_preview(of_tenant text, now timestamptz, most bigint DEFAULT NULL)
    RETURNS TABLE (class text, relation text, tenant_id text, cutoff timestamptz, rows bigint, oldest timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = sealgate, pg_temp SET timezone = 'UTC'
    SET enable_seqscan = off AS $$
DECLARE
    t record;
    tenants text[];
    cutoffs timestamptz[];
    own timestamptz;
BEGIN
    FOR t IN SELECT r.* FROM retention_tables() r LOOP
        SELECT array_agg(w.tenant_id) FILTER (WHERE w.tenant_id IS NOT NULL),
               array_agg(w.cutoff) FILTER (WHERE w.tenant_id IS NOT NULL), max(w.cutoff) FILTER (WHERE w.tenant_id IS NULL)
            INTO tenants, cutoffs, own FROM retention_cutoffs(t.class, now) w
            WHERE w.cutoff IS NOT NULL AND (of_tenant IS NULL OR w.tenant_id = of_tenant);
        RETURN QUERY EXECUTE format('
            SELECT $1, $2, w.tenant_id, w.cutoff, y.n, y.first FROM unnest($3, $4) AS w (tenant_id, cutoff)
            CROSS JOIN LATERAL (SELECT count(*) AS n, min(age) AS first FROM (
                SELECT r.%1$I AS age FROM %2$I r
                WHERE r.tenant_id = w.tenant_id AND r.%1$I < w.cutoff AND r.%1$I < $5 AND %3$s LIMIT $7) AS x) AS y
            WHERE y.n > 0
            UNION ALL
            SELECT $1, $2, NULL, $6, count(*), min(age) FROM (
                SELECT r.%1$I AS age FROM %2$I r WHERE r.tenant_id IS NULL AND r.%1$I < $6 AND %3$s LIMIT $7) AS x
            HAVING count(*) > 0', t.age, t.relation, t.ended)
            -- The latest of the cutoffs is known when the plan is made: it leaves the younger partitions out.
            USING t.class, t.relation, tenants, cutoffs, (SELECT max(c) FROM unnest(cutoffs) AS c), own, most;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION disposal_preview(text, timestamptz, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION disposal_preview(text, timestamptz, bigint) TO sg_tenant, sg_provider;

-- Usage, for billing ------------------------------------------------------------------------------------

-- As in 0007, planned for the tenant and the time that are asked for. with_storage false: storage_bytes, for which all of the
-- log is read, is left 0.
DROP FUNCTION usage_compute(timestamptz, timestamptz, text, text);
CREATE FUNCTION usage_compute(begins timestamptz, ends timestamptz, zone text, tenant text, with_storage boolean DEFAULT true)
RETURNS TABLE (tenant_id text, messages_out bigint, recipients_out bigint, bytes_out bigint,
    messages_in bigint, recipients_in bigint, bytes_in bigint, sealed bigint, opened bigint,
    held bigint, refused bigint, domains bigint, domain_days bigint, storage_bytes bigint)
LANGUAGE plpgsql STABLE SET search_path = sealgate, pg_temp AS $compute$
BEGIN
    RETURN QUERY EXECUTE $$
        WITH one AS (
            SELECT m.tenant_id, m.direction, m.size_bytes, count(r.recipient) AS recipients,
                   bool_or(r.verdict = 'sealed') AS sealed,
                   bool_or(r.verdict IN ('verified', 'opened')) AS opened,
                   bool_or(r.outcome = 'refused') AS refused
            FROM message m
            LEFT JOIN message_recipient r ON r.received_at = m.received_at AND r.msg_id = m.id
                                         AND r.received_at >= $1 AND r.received_at < $2
                                         AND ($4 IS NULL OR r.tenant_id = $4)
            WHERE m.received_at >= $1 AND m.received_at < $2
              AND ($4 IS NULL OR m.tenant_id = $4)
            GROUP BY m.received_at, m.id, m.tenant_id, m.direction, m.size_bytes),
        traffic AS (
            SELECT one.tenant_id,
                   count(*) FILTER (WHERE direction = 'outbound') AS messages_out,
                   sum(recipients) FILTER (WHERE direction = 'outbound') AS recipients_out,
                   sum(size_bytes) FILTER (WHERE direction = 'outbound') AS bytes_out,
                   count(*) FILTER (WHERE direction = 'inbound') AS messages_in,
                   sum(recipients) FILTER (WHERE direction = 'inbound') AS recipients_in,
                   sum(size_bytes) FILTER (WHERE direction = 'inbound') AS bytes_in,
                   count(*) FILTER (WHERE direction = 'outbound' AND sealed) AS sealed,
                   count(*) FILTER (WHERE direction = 'inbound' AND opened) AS opened,
                   count(*) FILTER (WHERE refused) AS refused
            FROM one GROUP BY one.tenant_id),
        waited AS (
            SELECT c.tenant_id, count(DISTINCT c.msg_id) AS held
            FROM message_code c JOIN verdict_code v ON v.code = c.code AND v.level = 'delay'
            WHERE c.received_at >= $1 AND c.received_at < $2
              AND ($4 IS NULL OR c.tenant_id = $4)
            GROUP BY c.tenant_id),
        span AS (
            SELECT d.tenant_id, d.domain_id, d.state, d.at,
                   coalesce(lead(d.at) OVER (PARTITION BY d.domain_id ORDER BY d.at, d.seq), 'infinity') AS until
            FROM domain_state d WHERE d.at < $2 AND ($4 IS NULL OR d.tenant_id = $4)),
        day AS (
            SELECT DISTINCT s.tenant_id, s.domain_id, d.day
            FROM span s CROSS JOIN LATERAL generate_series(
                date_trunc('day', greatest(s.at, $1) AT TIME ZONE $3),
                least(s.until, $2) AT TIME ZONE $3 - interval '1 microsecond', interval '1 day') AS d (day)
            WHERE s.state IN ('attested', 'verified') AND s.until > $1 AND s.until > s.at),
        active AS (
            SELECT day.tenant_id, count(DISTINCT domain_id) AS domains, count(*) AS domain_days
            FROM day GROUP BY day.tenant_id),
        stored AS (
            SELECT m.tenant_id, sum(m.size_bytes) AS storage_bytes
            FROM message m WHERE $5 AND m.received_at < $2 AND ($4 IS NULL OR m.tenant_id = $4)
            GROUP BY m.tenant_id)
        SELECT t.id::text, coalesce(messages_out, 0), coalesce(recipients_out, 0)::bigint,
               coalesce(bytes_out, 0)::bigint, coalesce(messages_in, 0), coalesce(recipients_in, 0)::bigint,
               coalesce(bytes_in, 0)::bigint, coalesce(sealed, 0), coalesce(opened, 0), coalesce(held, 0),
               coalesce(refused, 0), coalesce(domains, 0), coalesce(domain_days, 0),
               coalesce(storage_bytes, 0)::bigint
        FROM tenant t
        LEFT JOIN traffic ON traffic.tenant_id = t.id
        LEFT JOIN waited ON waited.tenant_id = t.id
        LEFT JOIN active ON active.tenant_id = t.id
        LEFT JOIN stored ON stored.tenant_id = t.id
        WHERE ($4 IS NULL OR t.id = $4) AND t.created_at < $2
    $$ USING begins, ends, zone, tenant, with_storage;
END $compute$;
