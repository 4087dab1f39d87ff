-- Tenants' life, contacts, lists of exceptions, policies, documents, exports; the lease of held mail.
SET LOCAL search_path = sealgate;

-- Tenants' life -----------------------------------------------------------------------------------
-- pending: documents must be acknowledged first (REQ-157); suspended: mail waits (4xx); closed: the
-- contract has ended. A cancelled tenant stays active until ends_at, so that its notice period is one.
ALTER TABLE tenant DROP CONSTRAINT tenant_state_check;
ALTER TABLE tenant
    ADD CHECK (state IN ('pending', 'active', 'suspended', 'closed')),
    ADD COLUMN external_ref text COLLATE "C" UNIQUE CHECK (length(external_ref) BETWEEN 1 AND 100),
    ADD COLUMN state_reason text NOT NULL DEFAULT '' CHECK (length(state_reason) <= 500),
    ADD COLUMN cancelled_at timestamptz,
    ADD COLUMN ends_at timestamptz,
    ADD COLUMN closed_at timestamptz,
    ADD CHECK ((cancelled_at IS NULL) = (ends_at IS NULL)),
    ADD CHECK ((state = 'closed') = (closed_at IS NOT NULL));
CREATE INDEX tenant_name ON tenant (name);
GRANT DELETE ON submitter TO sg_tenant;

-- Contacts (REQ-143): roles and desks, no persons. tenant_id NULL: the provider's own.
CREATE TABLE contact (
    id entity_id PRIMARY KEY,
    tenant_id entity_id REFERENCES tenant,
    role text NOT NULL CHECK (role IN ('postmaster', 'security', 'technical', 'billing', 'abuse',
        'privacy', 'legal', 'service-desk', 'management')),
    organisation text NOT NULL CHECK (length(organisation) BETWEEN 1 AND 200),
    mailbox address NOT NULL,
    role_mailbox boolean NOT NULL, -- stated by whoever wrote it
    phone text NOT NULL DEFAULT '' CHECK (length(phone) <= 40),
    review_days integer NOT NULL CHECK (review_days BETWEEN 1 AND 730),
    reviewed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX contact_tenant ON contact (tenant_id, created_at, id);

-- REQ-91: a domain's S/MIME partners outside Secure Email.
CREATE TABLE smime_exception (
    id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL,
    domain_id entity_id NOT NULL,
    partner dns_name NOT NULL,
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 200),
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (domain_id, partner),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id)
);
CREATE INDEX smime_exception_tenant ON smime_exception (tenant_id, domain_id, created_at, id);

-- REQ-180: further roots of a domain.
CREATE TABLE domain_anchor (
    id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL,
    domain_id entity_id NOT NULL,
    der bytea NOT NULL,
    sha256 bytea NOT NULL,
    subject text NOT NULL,
    not_after timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (domain_id, sha256),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id)
);
CREATE INDEX domain_anchor_tenant ON domain_anchor (tenant_id, domain_id, created_at, id);

-- Policies: what is set at each level; what is not set there is inherited from the one above.
CREATE TABLE policy (
    id entity_id PRIMARY KEY,
    tenant_id entity_id REFERENCES tenant, -- NULL: the platform's
    domain_id entity_id,                   -- NULL: the tenant's
    settings jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object'),
    updated_at timestamptz NOT NULL,
    CHECK (domain_id IS NULL OR tenant_id IS NOT NULL),
    UNIQUE NULLS NOT DISTINCT (tenant_id, domain_id),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id)
);

-- Partners' certificates get an id, and a state: a refused one is not used.
ALTER TABLE partner_certificate
    ADD COLUMN id entity_id UNIQUE,
    ADD COLUMN state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'pending', 'refused'));

-- Documents (REQ-142, 155, 157, 185 to 188) and who acknowledged them. A version is never changed:
-- the next one is a row of its own.
CREATE TABLE document (
    id entity_id PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('contract', 'terms', 'good-practice', 'acceptable-use',
        'consent', 'electronic-signature', 'integrity', 'identity', 'shared-mailbox', 'other')),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    version text NOT NULL CHECK (length(version) BETWEEN 1 AND 40),
    text text NOT NULL DEFAULT '',
    url text NOT NULL DEFAULT '' CHECK (length(url) <= 500),
    sha256 text COLLATE "C" NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    required boolean NOT NULL,
    valid_from timestamptz NOT NULL,
    withdrawn_at timestamptz,
    created_at timestamptz NOT NULL,
    CHECK ((text = '') <> (url = '')),
    UNIQUE (kind, title, version)
);
CREATE TABLE acknowledgement (
    id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL REFERENCES tenant,
    document_id entity_id NOT NULL REFERENCES document,
    sha256 text COLLATE "C" NOT NULL, -- of what was acknowledged
    role text NOT NULL CHECK (length(role) BETWEEN 1 AND 100), -- in which function, not who
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, document_id)
);

-- Off-boarding (REQ-156): a tenant's complete export, as a file of tenantd's export directory.
CREATE TABLE tenant_export (
    id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL REFERENCES tenant,
    state text NOT NULL CHECK (state IN ('pending', 'ready', 'failed', 'expired')),
    job_id entity_id NOT NULL,
    file text NOT NULL DEFAULT '',
    size_bytes bigint NOT NULL DEFAULT 0,
    sha256 text NOT NULL DEFAULT '',
    error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    expires_at timestamptz NOT NULL
);
CREATE INDEX tenant_export_tenant ON tenant_export (tenant_id, created_at, id);

-- Held mail: the lease of a running attempt is its own column, so that a release during it cannot
-- make a second one.
ALTER TABLE held_message ADD COLUMN leased_until timestamptz;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['contact', 'smime_exception', 'domain_anchor', 'policy',
        'acknowledgement', 'tenant_export'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY platform ON %I TO sg_owner, sg_gateway, sg_tenant, sg_provider
                        USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY own ON %I TO sg_api
                        USING (tenant_id = current_setting(''app.tenant'', true))
                        WITH CHECK (tenant_id = current_setting(''app.tenant'', true))', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['contact', 'smime_exception', 'domain_anchor', 'policy', 'document',
        'acknowledgement', 'tenant_export'] LOOP
        EXECUTE format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION audit_write()', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['smime_exception', 'domain_anchor', 'policy'] LOOP
        EXECUTE format('CREATE TRIGGER notify AFTER INSERT OR UPDATE OR DELETE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION config_notify()', t);
    END LOOP;
END $$;
-- What gatewayd learns by itself is no change of configuration; what people decide is.
CREATE TRIGGER audit_insert AFTER INSERT ON partner_certificate FOR EACH ROW
    WHEN (NEW.source = 'api') EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit_update AFTER UPDATE ON partner_certificate FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit_delete AFTER DELETE ON partner_certificate FOR EACH ROW
    EXECUTE FUNCTION audit_write();

-- What is the provider's own, and concerns every tenant, each may read.
CREATE POLICY provider_contact ON contact FOR SELECT TO sg_api USING (tenant_id IS NULL);
CREATE POLICY platform_policy ON policy FOR SELECT TO sg_api USING (tenant_id IS NULL);

GRANT SELECT ON contact, smime_exception, domain_anchor, policy, document, acknowledgement,
    tenant_export TO sg_api, sg_provider, sg_tenant;
GRANT SELECT ON smime_exception, domain_anchor, policy TO sg_gateway;
GRANT INSERT, UPDATE, DELETE ON contact, policy TO sg_api, sg_provider;
GRANT INSERT, DELETE ON smime_exception TO sg_api, sg_provider;
GRANT INSERT, DELETE ON domain_anchor TO sg_provider;
GRANT INSERT ON acknowledgement TO sg_api, sg_provider;
GRANT INSERT, UPDATE ON document TO sg_provider;
GRANT INSERT ON tenant_export TO sg_api, sg_provider;
GRANT UPDATE ON tenant_export TO sg_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON partner_certificate TO sg_provider;
-- The last acknowledgement that was wanting makes a pending tenant active.
GRANT UPDATE (state, state_reason, updated_at) ON tenant TO sg_api;

-- tenantd works on held mail by the filter of a job, and reads all that an export has.
GRANT UPDATE (state, next_try_at, attempts, finished_at, wrapped_key) ON held_message TO sg_tenant;
GRANT UPDATE (attempts) ON held_message TO sg_api, sg_provider;
GRANT SELECT, DELETE ON held_chunk TO sg_tenant;
GRANT SELECT ON audit, trace_event, notice TO sg_tenant;
