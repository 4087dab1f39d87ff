-- Incidents, breaches, usage, retention, availability.
SET LOCAL search_path = sealgate;

-- Incidents: what somebody must look at. One that is still open is counted up, never doubled.
CREATE TABLE incident (
    id entity_id PRIMARY KEY,               -- inc_
    tenant_id entity_id REFERENCES tenant,  -- NULL: the platform's own
    domain_id entity_id,                    -- NULL: no single domain's
    kind text COLLATE "C" NOT NULL          -- "certificate.compromised": what, then what happened
        CHECK (length(kind) <= 100 AND kind ~ '^[a-z0-9-]+(\.[a-z0-9-]+)+$'),
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')), -- the worst so far
    state text NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
    summary text NOT NULL CHECK (length(summary) BETWEEN 1 AND 500), -- of the latest occurrence
    detail jsonb NOT NULL,                                           -- likewise
    dedup_key text COLLATE "C" NOT NULL CHECK (length(dedup_key) BETWEEN 1 AND 300),
    occurrences bigint NOT NULL CHECK (occurrences > 0),
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at timestamptz,
    resolved_by text,
    resolution text,                        -- in words
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
    CHECK ((resolved_at IS NULL) = (resolved_by IS NULL) AND (resolved_at IS NULL) = (resolution IS NULL)),
    CHECK (tenant_id IS NOT NULL OR domain_id IS NULL),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id)
);
-- A new one is opened when it happens again after it was resolved.
CREATE UNIQUE INDEX incident_unresolved ON incident (dedup_key) WHERE state <> 'resolved';
CREATE INDEX incident_tenant ON incident (tenant_id, first_seen DESC, id DESC);
CREATE INDEX incident_all ON incident (first_seen DESC, id DESC);

-- What was done about an incident, in its order: by whom and in which words.
CREATE TABLE incident_note (
    id entity_id PRIMARY KEY,               -- inn_
    incident_id entity_id NOT NULL REFERENCES incident,
    tenant_id entity_id,                    -- the incident's
    at timestamptz NOT NULL,
    actor text NOT NULL,                    -- "token:tok_… name", "tenantd"
    action text NOT NULL CHECK (action IN ('acknowledged', 'noted', 'resolved')),
    words text NOT NULL CHECK (length(words) <= 4000)
);
CREATE INDEX incident_note_incident ON incident_note (incident_id, at, id);

-- Of incidents: that one was opened, and what people did; not each time it is seen again.
CREATE TRIGGER audit_insert AFTER INSERT OR DELETE ON incident
    FOR EACH ROW EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit_update AFTER UPDATE ON incident FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON incident_note
    FOR EACH ROW EXECUTE FUNCTION audit_write();

-- Breaches (REQ-113, 144) ---------------------------------------------------------------------------

-- Table 3. level: breach: reported to the SecureMail Administrator (REQ-144); warning: secrecy and
-- origin are not in doubt or cannot be told, the certificate wants care; delay: held, nothing
-- happened yet. A code that is not here counts as a breach of the class unknown.
CREATE TABLE verdict_code (
    code text COLLATE "C" PRIMARY KEY,
    level text NOT NULL CHECK (level IN ('breach', 'warning', 'delay')),
    class text COLLATE "C" NOT NULL,        -- the cause, as a word
    meaning text NOT NULL                   -- the cause, as a sentence
);
INSERT INTO verdict_code VALUES
    ('001', 'breach', 'trigger-word', 'a trigger word towards an agency that cannot receive it securely'),
    ('002', 'breach', 'unsigned', 'from a participating agency, and nothing shows that it came from there'),
    ('003', 'breach', 'altered', 'altered on the way'),
    ('004', 'breach', 'trigger-word', 'a trigger word from an agency that does not participate'),
    ('005', 'breach', 'own-domain', 'from the recipient''s own domain, and came from outside'),
    ('008', 'breach', 'not-encrypted', 'from a participating agency, signed and not encrypted'),
    ('009', 'breach', 'rule-set', 'went through the rule set without being processed'),
    ('101', 'breach', 'certificate-revoked', 'the sender''s certificate is revoked or suspended'),
    ('102', 'breach', 'certificate-untrusted', 'the sender''s certificate is of an unknown or untrusted CA'),
    ('103', 'warning', 'certificate-expired', 'the sender''s certificate has expired'),
    ('104', 'warning', 'certificate-unknown', 'the status of the sender''s certificate cannot be verified'),
    ('105', 'warning', 'certificate-not-yet-valid', 'the sender''s certificate is not valid yet'),
    ('111', 'breach', 'certificate-revoked', 'sent to a certificate of ours that is revoked or suspended'),
    ('112', 'breach', 'certificate-untrusted', 'sent to a certificate of ours of an unknown or untrusted CA'),
    ('113', 'warning', 'certificate-expired', 'sent to a certificate of ours that has expired'),
    ('114', 'warning', 'certificate-unknown', 'sent to a certificate of ours whose status cannot be verified'),
    ('115', 'warning', 'certificate-not-yet-valid', 'sent to a certificate of ours that is not valid yet'),
    ('201', 'delay', 'held', 'no valid certificate of the recipient'),
    ('202', 'delay', 'held', 'the status of the recipient''s certificate cannot be verified'),
    ('211', 'delay', 'held', 'no valid certificate of our own'),
    ('212', 'delay', 'held', 'the status of our own certificate cannot be verified');

-- Every code that a recipient of a message ever had, fed together with message_recipient (whose
-- codes are the latest alone). Rows wait for nobody: each is of one recipient. What is not folded is
-- not counted in breach yet.
CREATE TABLE message_code (
    msg_id entity_id NOT NULL,
    received_at timestamptz NOT NULL,       -- of the message
    tenant_id entity_id NOT NULL,
    recipient address NOT NULL,
    recipient_domain text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,                -- of the outcome
    folded boolean NOT NULL DEFAULT false,
    PRIMARY KEY (received_at, msg_id, recipient, code)
) PARTITION BY RANGE (received_at);
CREATE INDEX message_code_search ON message_code (code, tenant_id, received_at, msg_id);
CREATE INDEX message_code_unfolded ON message_code (at) WHERE NOT folded;

-- One row for a cause, however often: of mail by tenant, our domain, code, partner and month; of an
-- incident by the incident.
CREATE TABLE breach (
    id entity_id PRIMARY KEY,               -- bre_
    tenant_id entity_id,                    -- NULL: of an incident of the platform
    source text NOT NULL CHECK (source IN ('mail', 'incident')),
    month date NOT NULL CHECK (extract(day FROM month) = 1), -- UTC; of its events
    level text NOT NULL CHECK (level IN ('breach', 'warning')),
    code text COLLATE "C" NOT NULL,         -- of table 3; '' of an incident
    class text COLLATE "C" NOT NULL,        -- of verdict_code, or of the incident's kind
    cause text NOT NULL,                    -- the same as a sentence
    domain text COLLATE "C" NOT NULL,       -- ours; '' where an incident has none
    partner_domain text COLLATE "C" NOT NULL, -- claimed in From (inbound) or written to (outbound);
                                            -- '' unknown, '*' those beyond a month's 200
    direction text NOT NULL CHECK (direction IN ('inbound', 'outbound', '')),
    incident_id entity_id REFERENCES incident,
    messages bigint NOT NULL,               -- distinct ones, of mail
    recipients bigint NOT NULL,             -- recipients of these
    samples text[] NOT NULL,                -- up to 10 of their ids
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'resolved')),
    resolved_at timestamptz,
    resolved_by text,
    resolution text,                        -- in words; kept when it is reopened
    reopened_at timestamptz,                -- the last time: it was seen again, or somebody said so
    CHECK ((state = 'resolved') <= (resolved_at IS NOT NULL AND resolution IS NOT NULL)),
    CHECK ((source = 'incident') = (incident_id IS NOT NULL))
);
CREATE UNIQUE INDEX breach_mail ON breach (tenant_id, domain, code, partner_domain, direction, month)
    WHERE source = 'mail';
CREATE UNIQUE INDEX breach_incident ON breach (incident_id) WHERE source = 'incident';
CREATE INDEX breach_tenant ON breach (tenant_id, first_seen DESC, id DESC);
CREATE INDEX breach_all ON breach (first_seen DESC, id DESC);

CREATE TABLE breach_note (
    id entity_id PRIMARY KEY,               -- brn_
    breach_id entity_id NOT NULL REFERENCES breach,
    tenant_id entity_id,                    -- the breach's
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL CHECK (action IN ('noted', 'resolved', 'reopened')),
    words text NOT NULL CHECK (length(words) <= 4000)
);
CREATE INDEX breach_note_breach ON breach_note (breach_id, at, id);

-- Of breaches: what people did, and that one was reopened.
CREATE TRIGGER audit_update AFTER UPDATE ON breach FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON breach_note
    FOR EACH ROW EXECUTE FUNCTION audit_write();

-- Codes that are to be folded wake tenantd.
CREATE FUNCTION code_notify() RETURNS trigger LANGUAGE plpgsql
    SET search_path = sealgate, pg_temp AS $$
BEGIN
    PERFORM pg_notify('sealgate_code', '');
    RETURN NULL;
END $$;
CREATE TRIGGER notify AFTER INSERT ON message_code FOR EACH ROW
    WHEN (NOT NEW.folded) EXECUTE FUNCTION code_notify();

-- An id as of common/id.h, for rows that SQL makes: 26 digits of 5 random bits, the first of 3.
CREATE FUNCTION id_new(prefix text) RETURNS text LANGUAGE plpgsql VOLATILE
    SET search_path = sealgate, pg_temp AS $$
DECLARE
    digits constant text := '0123456789abcdefghjkmnpqrstvwxyz';
    -- 32 bytes; of each uuid those of version and variant are left out.
    bits bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
    id text := prefix || '_' || substr(digits, (get_byte(bits, 0) & 7) + 1, 1);
BEGIN
    FOR i IN 1..31 LOOP
        CONTINUE WHEN i % 16 IN (6, 8) OR length(id) = length(prefix) + 27;
        id := id || substr(digits, (get_byte(bits, i) & 31) + 1, 1);
    END LOOP;
    RETURN id;
END $$;

-- Retention log (REQ-117): searched by what is known, within a tenant or platform-wide, hence the
-- tenant stands behind the searched column. Under row-level security equality and ranges use them.
ALTER TABLE message ADD COLUMN sent_at timestamptz; -- the Date field, as the sender claims; NULL: none
DROP INDEX message_message_id, message_sender, message_tenant, message_recipient_tenant;
CREATE INDEX message_tenant ON message (tenant_id, received_at, id);
CREATE INDEX message_message_id ON message (message_id, tenant_id, received_at, id);
CREATE INDEX message_sender ON message (sender, tenant_id, received_at, id);
CREATE INDEX message_sender_domain ON message (sender_domain, tenant_id, received_at, id);
CREATE INDEX message_client ON message (client_address, tenant_id, received_at, id);
CREATE INDEX message_recipient_address ON message_recipient (recipient, tenant_id, received_at, msg_id);
CREATE INDEX message_recipient_domain ON message_recipient (recipient_domain, tenant_id, received_at, msg_id);
-- Of outcomes the rare ones: nearly every row is delivered.
CREATE INDEX message_recipient_outcome ON message_recipient (outcome, tenant_id, received_at, msg_id)
    WHERE outcome NOT IN ('received', 'delivered');
CREATE INDEX message_recipient_verdict ON message_recipient (verdict, tenant_id, received_at, msg_id)
    WHERE verdict = 'unverified';

-- Reading a customer's mail log from the provider's side is audited like a change.
ALTER TABLE audit DROP CONSTRAINT audit_action_check;
ALTER TABLE audit ADD CONSTRAINT audit_action_check
    CHECK (action IN ('insert', 'update', 'delete', 'read'));
CREATE FUNCTION audit_read(tenant text, what text, what_id text, parameters jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = sealgate, pg_temp AS $$
BEGIN
    IF coalesce(current_setting('app.actor', true), '') = '' THEN
        RAISE EXCEPTION 'reading % without app.actor', what USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO audit (at, tenant_id, actor, address, request_id, action, object, object_id, after)
    VALUES (current_setting('app.now')::timestamptz, tenant, current_setting('app.actor'),
            coalesce(current_setting('app.address', true), ''),
            coalesce(current_setting('app.request_id', true), ''), 'read', what, what_id, parameters);
END $$;
REVOKE ALL ON FUNCTION audit_read(text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_read(text, text, text, jsonb) TO sg_provider;

-- Months of partitions of every partitioned table, also of those of later migrations.
CREATE OR REPLACE FUNCTION partitions_ensure(first date, months integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = sealgate, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    t text;
    month date;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('sealgate.partitions_ensure'));
    FOR i IN 0..months - 1 LOOP
        month := date_trunc('month', first) + make_interval(months => i);
        FOR t IN SELECT relname FROM pg_class
                 WHERE relkind = 'p' AND relnamespace = 'sealgate'::regnamespace ORDER BY relname LOOP
            IF to_regclass(quote_ident(t || to_char(month, '_YYYY_MM'))) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    t || to_char(month, '_YYYY_MM'), t, month, month + interval '1 month');
            END IF;
        END LOOP;
    END LOOP;
END $$;

-- Deletion by retention policy (REQ-133, 117) ----------------------------------------------------------

-- What is kept how long, and within which limits of the law a tenant may differ. Jobs have their own
-- setting (tenantd [jobs] keep); an archive data key is destroyed with the originals it seals.
CREATE TABLE retention_class (
    class text COLLATE "C" PRIMARY KEY,
    months integer NOT NULL,                -- where a tenant has no policy of its own
    floor_months integer NOT NULL CHECK (floor_months >= 1),
    ceiling_months integer NOT NULL CHECK (ceiling_months <= 1200),
    about text NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (months BETWEEN floor_months AND ceiling_months)
);
INSERT INTO retention_class VALUES
    ('messages', 84, 12, 120, 'retention log: messages, their recipients and codes', 'epoch'),
    ('trace', 12, 1, 120, 'what the gateway did with a message, step by step', 'epoch'),
    ('held', 12, 1, 120, 'mail that was held and is sent, deleted or expired', 'epoch'),
    ('notices', 12, 1, 120, 'notices that were sent or failed', 'epoch'),
    ('archive', 84, 12, 120, 'keys of archived originals: without them nobody reads these', 'epoch'),
    ('audit', 84, 24, 240, 'audit log', 'epoch');

CREATE TABLE retention_policy (
    tenant_id entity_id NOT NULL REFERENCES tenant,
    class text COLLATE "C" NOT NULL REFERENCES retention_class,
    months integer NOT NULL,                -- within the class's limits, when set and when applied
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, class)
);

-- While one stands nothing of the tenant is deleted. (Warrants will set them too.)
CREATE TABLE legal_hold (
    id entity_id PRIMARY KEY,               -- lgh_
    tenant_id entity_id NOT NULL REFERENCES tenant,
    words text NOT NULL CHECK (length(words) BETWEEN 1 AND 4000),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    lifted_at timestamptz,
    lifted_by text
);
CREATE INDEX legal_hold_tenant ON legal_hold (tenant_id, created_at, id);

-- The record of each disposal: what, how many rows, of which time, when, by which policy. Written in
-- the transaction that deletes, by the functions below alone.
CREATE TABLE disposal (
    id entity_id PRIMARY KEY,               -- dsp_
    at timestamptz NOT NULL,                -- the last row of it
    class text COLLATE "C" NOT NULL,
    tenant_id entity_id,                    -- NULL: the platform's own rows, or a whole partition
    method text NOT NULL CHECK (method IN ('rows', 'partition')),
    relation text COLLATE "C" NOT NULL,     -- table or partition
    rows bigint NOT NULL,
    oldest timestamptz NOT NULL,            -- of what was disposed of
    newest timestamptz NOT NULL,
    cutoff timestamptz NOT NULL,            -- what was older could be deleted
    policy text NOT NULL,                   -- in words
    actor text NOT NULL
);
CREATE UNIQUE INDEX disposal_rows_once ON disposal (class, tenant_id, relation, cutoff) NULLS NOT DISTINCT
    WHERE method = 'rows';
CREATE INDEX disposal_at ON disposal (at, id);
CREATE INDEX disposal_tenant ON disposal (tenant_id, at, id);

CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON legal_hold
    FOR EACH ROW EXECUTE FUNCTION audit_write();
-- As audit_write(), for rows that are named by their class.
CREATE FUNCTION retention_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = sealgate, pg_temp AS $$
DECLARE
    object jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
BEGIN
    IF coalesce(current_setting('app.actor', true), '') = '' THEN
        RAISE EXCEPTION 'change to % without app.actor', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO audit (at, tenant_id, actor, address, request_id, action, object, object_id, before, after)
    VALUES (current_setting('app.now')::timestamptz, object->>'tenant_id', current_setting('app.actor'),
            coalesce(current_setting('app.address', true), ''),
            coalesce(current_setting('app.request_id', true), ''), lower(TG_OP), TG_TABLE_NAME,
            object->>'class', CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
            CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION retention_audit() FROM PUBLIC;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON retention_class
    FOR EACH ROW EXECUTE FUNCTION retention_audit();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON retention_policy
    FOR EACH ROW EXECUTE FUNCTION retention_audit();

-- What of a class is older than this may go; NULL: nothing may (legal hold). Whole days of UTC. A policy
-- beyond the law's limits counts as the limit. tenant NULL: the platform's own (audit).
CREATE FUNCTION retention_cutoff(tenant text, of_class text, at timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = sealgate, pg_temp SET timezone = 'UTC' AS $$
    SELECT CASE WHEN NOT EXISTS (SELECT FROM legal_hold h WHERE h.tenant_id = tenant AND h.lifted_at IS NULL)
                THEN date_trunc('day', at) - make_interval(months =>
                     greatest(c.floor_months, least(c.ceiling_months, coalesce(p.months, c.months)))) END
    FROM retention_class c LEFT JOIN retention_policy p ON p.class = c.class AND p.tenant_id = tenant
    WHERE c.class = of_class
$$;

-- Which tables a class is, by which time their rows age, and which of them have ended.
CREATE FUNCTION retention_tables() RETURNS TABLE (class text, relation text, age text, ended text)
    LANGUAGE sql IMMUTABLE AS $$
    VALUES ('messages', 'message', 'received_at', 'true'),
           ('messages', 'message_recipient', 'received_at', 'true'),
           ('messages', 'message_code', 'received_at', 'folded'),
           ('trace', 'trace_event', 'received_at', 'true'),
           ('held', 'held_message', 'finished_at', 'state <> ''held'''),
           ('notices', 'notice', 'finished_at', 'state <> ''pending'''),
           ('archive', 'archive_data_key', 'created_at', 'true'),
           ('audit', 'audit', 'at', 'true')
$$;

-- Deletes at most `most` rows of one table and tenant that are beyond the policy, and records it; how
-- many there were. The policy is looked up here: no caller can delete more than it says.
CREATE FUNCTION disposal_rows(of_relation text, tenant text, now timestamptz, most integer)
    RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = sealgate, pg_temp
    SET timezone = 'UTC' AS $$
DECLARE
    t record;
    cut timestamptz;
    n bigint;
    first timestamptz;
    last timestamptz;
BEGIN
    SELECT r.* INTO STRICT t FROM retention_tables() r WHERE r.relation = of_relation;
    cut := retention_cutoff(tenant, t.class, now);
    IF cut IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE format('WITH old AS MATERIALIZED (SELECT tableoid AS part, ctid AS place FROM %1$I
                        WHERE tenant_id IS NOT DISTINCT FROM $1 AND %2$I < $2 AND %3$s LIMIT $3),
                    gone AS (DELETE FROM %1$I d USING old WHERE d.tableoid = old.part AND d.ctid = old.place
                             AND d.%2$I < $2 AND %3$s RETURNING d.%2$I AS age)
                    SELECT count(*), min(age), max(age) FROM gone', t.relation, t.age, t.ended)
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
REVOKE ALL ON FUNCTION disposal_rows(text, text, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION disposal_rows(text, text, timestamptz, integer) TO sg_tenant;

-- Drops the oldest partition in which nobody's rows must be kept, and records it; its name, or NULL.
CREATE FUNCTION disposal_partition(now timestamptz) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = sealgate, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    t record;
    p record;
    kept boolean;
    n bigint;
    first timestamptz;
    last timestamptz;
BEGIN
    FOR t IN SELECT r.*, c.floor_months FROM retention_tables() r JOIN retention_class c ON c.class = r.class
             WHERE (SELECT relkind FROM pg_class WHERE oid = to_regclass(r.relation)) = 'p' LOOP
        FOR p IN SELECT c.relname, to_date(right(c.relname, 7), 'YYYY_MM')::timestamptz + interval '1 month' AS ends
                 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = to_regclass(t.relation) ORDER BY c.relname LOOP
            -- Mail that was held, or a journal that was away, may still speak of messages of some
            -- months ago: without their partition the feed would stand still.
            EXIT WHEN p.ends > now - make_interval(months => greatest(t.floor_months, 6));
            EXECUTE format('SELECT EXISTS (
                    SELECT FROM (SELECT id::text FROM tenant UNION ALL SELECT NULL) AS whose (id)
                    WHERE coalesce(retention_cutoff(whose.id, $1, $2) < $3, true)
                      AND EXISTS (SELECT FROM %1$I r WHERE r.tenant_id IS NOT DISTINCT FROM whose.id))
                 OR EXISTS (SELECT FROM %1$I r WHERE NOT (%2$s))', p.relname, t.ended)
                INTO kept USING t.class, now, p.ends;
            CONTINUE WHEN kept;
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
REVOKE ALL ON FUNCTION disposal_partition(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION disposal_partition(timestamptz) TO sg_tenant;

-- What would go now: by table and tenant.
CREATE FUNCTION disposal_preview(of_tenant text, now timestamptz)
    RETURNS TABLE (class text, relation text, tenant_id text, cutoff timestamptz, rows bigint, oldest timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = sealgate, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT r.* FROM retention_tables() r LOOP
        RETURN QUERY EXECUTE format('SELECT $1, $2, x.id, x.cutoff, y.n, y.first FROM (
                SELECT whose.id, retention_cutoff(whose.id, $1, $3) AS cutoff
                FROM (SELECT id::text FROM tenant UNION ALL SELECT NULL) AS whose (id)
                WHERE $4 IS NULL OR whose.id = $4) AS x
            CROSS JOIN LATERAL (SELECT count(*) AS n, min(r.%1$I) AS first FROM %2$I r
                WHERE r.tenant_id IS NOT DISTINCT FROM x.id AND r.%1$I < x.cutoff AND %3$s) AS y
            WHERE y.n > 0', t.age, t.relation, t.ended) USING t.class, t.relation, now, of_tenant;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION disposal_preview(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION disposal_preview(text, timestamptz) TO sg_tenant, sg_provider;

-- Usage, for billing ------------------------------------------------------------------------------------

-- Which state a domain had from when on: what active days are counted from. Written by trigger alone.
CREATE TABLE domain_state (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain_id entity_id NOT NULL,
    tenant_id entity_id NOT NULL,
    state text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX domain_state_domain ON domain_state (domain_id, at, seq);
CREATE INDEX domain_state_tenant ON domain_state (tenant_id);
CREATE FUNCTION domain_state_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = sealgate, pg_temp AS $$
BEGIN
    INSERT INTO domain_state (domain_id, tenant_id, state, at)
    VALUES (NEW.id, NEW.tenant_id, NEW.state, current_setting('app.now')::timestamptz);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION domain_state_write() FROM PUBLIC;
CREATE TRIGGER state_insert AFTER INSERT ON domain FOR EACH ROW EXECUTE FUNCTION domain_state_write();
CREATE TRIGGER state_update AFTER UPDATE OF state ON domain FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION domain_state_write();
INSERT INTO domain_state (domain_id, tenant_id, state, at)
    SELECT id, tenant_id, state, updated_at FROM domain;

-- The time zone of billing months; tenantd says it ([reports] time_zone).
CREATE TABLE usage_zone (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    time_zone text NOT NULL
);

-- What a tenant used in a month, as the log was when it was closed (revision 0), and what came to
-- light afterwards (revisions from 1 on: the difference, also negative). Their sum is the month. Never
-- changed: what was billed stays. Of storage revision 0 alone speaks.
CREATE TABLE usage_month (
    tenant_id entity_id NOT NULL REFERENCES tenant,
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    revision integer NOT NULL CHECK (revision >= 0),
    messages_out bigint NOT NULL,
    recipients_out bigint NOT NULL,
    bytes_out bigint NOT NULL,          -- of the messages as they were handed in
    messages_in bigint NOT NULL,
    recipients_in bigint NOT NULL,
    bytes_in bigint NOT NULL,
    sealed bigint NOT NULL,             -- messages out with a recipient whose mail was sealed
    opened bigint NOT NULL,             -- messages in that were opened or verified
    held bigint NOT NULL,               -- messages that were held, whatever became of them
    refused bigint NOT NULL,            -- messages with a recipient who was refused
    domains bigint NOT NULL,            -- that carried mail (attested, verified) on one day at least
    domain_days bigint NOT NULL,        -- their days
    storage_bytes bigint NOT NULL,      -- of all originals in the log at the month's end
    time_zone text NOT NULL,            -- of the month
    watermark text NOT NULL,            -- the snapshot that was read (pg_current_snapshot)
    made_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, month, revision)
);
CREATE INDEX usage_month_month ON usage_month (month, tenant_id);
CREATE FUNCTION usage_month_kept() RETURNS trigger LANGUAGE plpgsql
    SET search_path = sealgate, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a closed month is not changed' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON usage_month
    FOR EACH ROW EXECUTE FUNCTION usage_month_kept();

-- The numbers of the log for messages received from `begins` until `ends`; tenant NULL: of each. Every
-- tenant has a row, those without mail too.
CREATE FUNCTION usage_compute(begins timestamptz, ends timestamptz, zone text, tenant text)
RETURNS TABLE (tenant_id text, messages_out bigint, recipients_out bigint, bytes_out bigint,
    messages_in bigint, recipients_in bigint, bytes_in bigint, sealed bigint, opened bigint,
    held bigint, refused bigint, domains bigint, domain_days bigint, storage_bytes bigint)
LANGUAGE sql STABLE SET search_path = sealgate, pg_temp AS $$
    WITH one AS (
        SELECT m.tenant_id, m.direction, m.size_bytes, count(r.recipient) AS recipients,
               bool_or(r.verdict = 'sealed') AS sealed,
               bool_or(r.verdict IN ('verified', 'opened')) AS opened,
               bool_or(r.outcome = 'refused') AS refused
        FROM message m
        LEFT JOIN message_recipient r ON r.received_at = m.received_at AND r.msg_id = m.id
                                     AND r.received_at >= begins AND r.received_at < ends
        WHERE m.received_at >= begins AND m.received_at < ends
          AND (tenant IS NULL OR m.tenant_id = tenant)
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
        WHERE c.received_at >= begins AND c.received_at < ends
          AND (tenant IS NULL OR c.tenant_id = tenant)
        GROUP BY c.tenant_id),
    span AS (
        SELECT d.tenant_id, d.domain_id, d.state, d.at,
               coalesce(lead(d.at) OVER (PARTITION BY d.domain_id ORDER BY d.at, d.seq), 'infinity') AS until
        FROM domain_state d WHERE d.at < ends AND (tenant IS NULL OR d.tenant_id = tenant)),
    day AS (
        SELECT DISTINCT s.tenant_id, s.domain_id, d.day
        FROM span s CROSS JOIN LATERAL generate_series(
            date_trunc('day', greatest(s.at, begins) AT TIME ZONE zone),
            least(s.until, ends) AT TIME ZONE zone - interval '1 microsecond', interval '1 day') AS d (day)
        WHERE s.state IN ('attested', 'verified') AND s.until > begins AND s.until > s.at),
    active AS (
        SELECT day.tenant_id, count(DISTINCT domain_id) AS domains, count(*) AS domain_days
        FROM day GROUP BY day.tenant_id),
    stored AS (
        SELECT m.tenant_id, sum(m.size_bytes) AS storage_bytes
        FROM message m WHERE m.received_at < ends AND (tenant IS NULL OR m.tenant_id = tenant)
        GROUP BY m.tenant_id)
    SELECT t.id, coalesce(messages_out, 0), coalesce(recipients_out, 0)::bigint,
           coalesce(bytes_out, 0)::bigint, coalesce(messages_in, 0), coalesce(recipients_in, 0)::bigint,
           coalesce(bytes_in, 0)::bigint, coalesce(sealed, 0), coalesce(opened, 0), coalesce(held, 0),
           coalesce(refused, 0), coalesce(domains, 0), coalesce(domain_days, 0),
           coalesce(storage_bytes, 0)::bigint
    FROM tenant t
    LEFT JOIN traffic ON traffic.tenant_id = t.id
    LEFT JOIN waited ON waited.tenant_id = t.id
    LEFT JOIN active ON active.tenant_id = t.id
    LEFT JOIN stored ON stored.tenant_id = t.id
    WHERE (tenant IS NULL OR t.id = tenant) AND t.created_at < ends
$$;

-- Rights and row-level security ---------------------------------------------------------------------

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['incident', 'incident_note', 'breach', 'breach_note', 'message_code',
        'domain_state', 'usage_month', 'retention_policy', 'legal_hold', 'disposal'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY platform ON %I TO sg_owner, sg_gateway, sg_tenant, sg_provider
                        USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY own ON %I TO sg_api
                        USING (tenant_id = current_setting(''app.tenant'', true))
                        WITH CHECK (tenant_id = current_setting(''app.tenant'', true))', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON incident TO sg_tenant, sg_provider, sg_gateway;
GRANT SELECT, INSERT ON incident_note TO sg_tenant, sg_provider, sg_gateway, sg_api;
-- A tenant's request may raise one and acknowledge its own; it is resolved by the provider.
GRANT SELECT, INSERT ON incident TO sg_api;
GRANT UPDATE (state, severity, summary, detail, occurrences, last_seen, acknowledged_at,
              acknowledged_by) ON incident TO sg_api;
GRANT SELECT ON verdict_code TO sg_gateway, sg_tenant, sg_provider, sg_api;
GRANT SELECT, INSERT ON message_code TO sg_gateway;
GRANT SELECT, UPDATE (folded) ON message_code TO sg_tenant;
GRANT SELECT ON message_code TO sg_provider, sg_api;
GRANT SELECT, INSERT, UPDATE ON breach TO sg_tenant, sg_provider, sg_gateway;
GRANT SELECT, INSERT ON breach TO sg_api; -- of an incident that a tenant's request raises
GRANT UPDATE (last_seen) ON breach TO sg_api;
GRANT SELECT, INSERT ON breach_note TO sg_tenant, sg_provider, sg_gateway, sg_api;
GRANT SELECT ON domain_state, usage_month TO sg_tenant, sg_provider, sg_api;
GRANT SELECT ON usage_zone TO sg_tenant, sg_provider, sg_api;
GRANT INSERT, UPDATE ON usage_zone TO sg_tenant;
GRANT INSERT ON usage_month TO sg_tenant;
GRANT SELECT ON retention_class, retention_policy, legal_hold, disposal TO sg_tenant, sg_provider, sg_api;
GRANT UPDATE (months, floor_months, ceiling_months, updated_at) ON retention_class TO sg_provider;
GRANT INSERT, UPDATE, DELETE ON retention_policy TO sg_provider;
GRANT INSERT, UPDATE (lifted_at, lifted_by) ON legal_hold TO sg_provider;
