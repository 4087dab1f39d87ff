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

-- Rights and row-level security
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['incident', 'incident_note'] LOOP
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
