-- Reports (REQ-119, 120, 142, 144): the numbers of a month, from which every form is rendered.
-- A month is one of the platform's time zone ([reports] time_zone of tenantd, Pacific/Auckland unless
-- set), for that is the month that is contracted and audited; it begins and ends at local midnight.
SET LOCAL search_path = sealgate;

-- What was made once is never changed: a report made anew with other numbers is a further revision,
-- which says where it differs.
CREATE TABLE report (
    id entity_id PRIMARY KEY,
    tenant_id entity_id REFERENCES tenant, -- NULL: the platform's
    kind text NOT NULL CHECK (kind IN ('breach', 'compliance', 'availability', 'service', 'usage')),
    period text COLLATE "C" NOT NULL CHECK (period ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    revision integer NOT NULL CHECK (revision >= 1),
    state text NOT NULL CHECK (state IN ('current', 'superseded')),
    complete boolean NOT NULL,        -- the month was over
    schema_version integer NOT NULL,  -- of data
    data jsonb NOT NULL,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32), -- of data's canonical form (report/report.h)
    watermark jsonb NOT NULL,         -- how far the log was when it was read
    differs jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(differs) = 'array'), -- from the revision before, in words
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,            -- "tenantd", or who asked for it
    UNIQUE NULLS NOT DISTINCT (tenant_id, kind, period, revision)
);
CREATE UNIQUE INDEX report_current ON report (tenant_id, kind, period) NULLS NOT DISTINCT
    WHERE state = 'current';
CREATE INDEX report_list ON report (tenant_id, made_at, id);

-- The security officer's word for a report, as it was then.
CREATE TABLE report_signature (
    id entity_id PRIMARY KEY,
    tenant_id entity_id REFERENCES tenant,
    report_id entity_id NOT NULL REFERENCES report,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32), -- of what was signed
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    words text NOT NULL CHECK (length(words) BETWEEN 1 AND 2000),
    actor text NOT NULL,
    signed_at timestamptz NOT NULL
);
CREATE INDEX report_signature_report ON report_signature (report_id, signed_at);

-- What the provider states about a requirement that no program can show (REQ-119, 120): a certified
-- firewall, a clause in the employment agreements.
CREATE TABLE attestation (
    id entity_id PRIMARY KEY,
    requirement integer NOT NULL CHECK (requirement BETWEEN 1 AND 200),
    words text NOT NULL CHECK (length(words) BETWEEN 1 AND 2000),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200), -- who states it
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    valid_until timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX attestation_list ON attestation (created_at, id);
CREATE INDEX attestation_requirement ON attestation (requirement);

-- To whom reports go, beside the administrator of SecureMail (tenantd's configuration).
CREATE TABLE report_recipient (
    id entity_id PRIMARY KEY,
    tenant_id entity_id REFERENCES tenant, -- NULL: the provider's own
    kind text NOT NULL CHECK (kind IN ('breach', 'compliance', 'availability', 'service', 'usage')),
    address address NOT NULL,              -- normalised
    created_at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (tenant_id, kind, address)
);

-- A report on its way to somebody: sealed, through our own gateway.
CREATE TABLE report_delivery (
    id entity_id PRIMARY KEY,
    tenant_id entity_id REFERENCES tenant,
    report_id entity_id NOT NULL REFERENCES report,
    recipient address NOT NULL,
    -- sent: Postfix has it; sealed: the retention log says that it went out sealed
    state text NOT NULL CHECK (state IN ('queued', 'sent', 'sealed', 'failed')),
    message_id text COLLATE "C" NOT NULL, -- RFC 5322, without angle brackets
    msg_id text COLLATE "C",              -- of the retention log
    attempts integer NOT NULL DEFAULT 0,   -- how often it was sent
    last_error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    sent_at timestamptz,                   -- the last time
    finished_at timestamptz,
    UNIQUE (report_id, recipient)
);

-- Was the way of a mail open? A row for a minute, a part of the way and a node; who looked writes it.
CREATE TABLE availability_sample (
    minute timestamptz NOT NULL CHECK (minute = date_trunc('minute', minute)),
    component text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    ok boolean NOT NULL,
    detail text NOT NULL DEFAULT '',
    PRIMARY KEY (minute, component, node)
);
-- Maintenance counts as such where it was announced (created) before it began.
CREATE TABLE maintenance_window (
    id entity_id PRIMARY KEY,
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > begins_at),
    words text NOT NULL CHECK (length(words) BETWEEN 1 AND 2000),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON availability_sample TO sg_tenant;
GRANT SELECT ON maintenance_window TO sg_tenant;
GRANT SELECT, INSERT, DELETE ON maintenance_window TO sg_provider;
-- Every code that a recipient of a message had, with what it means and whom it concerns: what breach
-- (0007) counts by month of UTC, here for months of any time zone.
CREATE VIEW breach_event WITH (security_invoker = true) AS
    SELECT c.tenant_id, c.msg_id, c.received_at, c.recipient, c.code, c.at,
           coalesce(v.level, 'breach') AS level,
           coalesce(v.meaning, 'a code that table 3 does not have') AS cause,
           coalesce(m.direction, 'inbound') AS direction,
           CASE WHEN m.direction = 'outbound' THEN m.sender_domain ELSE c.recipient_domain END AS domain,
           CASE WHEN m.direction = 'outbound' THEN c.recipient_domain
                ELSE coalesce(nullif(substring(lower(m.header_from) FROM '@([^@]+)$'), ''), m.sender_domain, '')
                END COLLATE "C" AS partner
    FROM message_code c
    LEFT JOIN verdict_code v ON v.code = c.code
    LEFT JOIN message m ON m.received_at = c.received_at AND m.id = c.msg_id;
GRANT SELECT ON breach_event TO sg_tenant;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['report', 'report_signature', 'report_recipient', 'report_delivery'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY platform ON %I TO sg_owner, sg_tenant, sg_provider
                        USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY own ON %I TO sg_api
                        USING (tenant_id = current_setting(''app.tenant'', true))
                        WITH CHECK (tenant_id = current_setting(''app.tenant'', true))', t);
        EXECUTE format('GRANT SELECT ON %I TO sg_api, sg_provider', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['report_signature', 'report_recipient', 'attestation', 'maintenance_window'] LOOP
        EXECUTE format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION audit_write()', t);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE (state) ON report TO sg_tenant;
GRANT SELECT ON report_signature, report_recipient, attestation TO sg_tenant;
GRANT INSERT, DELETE ON report_recipient TO sg_api, sg_provider;
GRANT SELECT, INSERT, UPDATE ON report_delivery TO sg_tenant;
GRANT SELECT ON audit TO sg_tenant; -- how many rows there are
GRANT UPDATE (state, finished_at) ON report_delivery TO sg_api, sg_provider;
GRANT INSERT ON report_signature TO sg_api, sg_provider;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON attestation TO sg_provider;
