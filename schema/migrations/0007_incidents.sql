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

-- Rights and row-level security ---------------------------------------------------------------------

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['incident', 'incident_note', 'breach', 'breach_note', 'message_code'] LOOP
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
