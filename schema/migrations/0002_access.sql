-- Who may use the API: the roles of schema/access.c, tokens narrowed to scopes, their last use.
SET LOCAL search_path = sealgate;

ALTER TABLE api_token DROP CONSTRAINT api_token_role_check;
ALTER TABLE api_token DROP CONSTRAINT api_token_check;
ALTER TABLE api_token
    ADD COLUMN scope text COLLATE "C" -- NULL: all of the role's
        CHECK (scope ~ '^[a-z_]+:(read|write)( [a-z_]+:(read|write))*$'),
    ADD COLUMN last_used_at timestamptz,
    ADD CONSTRAINT api_token_role CHECK (
        CASE WHEN tenant_id IS NULL
             THEN role IN ('provider-admin', 'provisioning', 'billing', 'support',
                           'security-officer', 'auditor')
             ELSE role IN ('security-officer', 'auditor', 'tenant-admin', 'tenant-viewer') END);

-- That a token was used is no change of configuration.
DROP TRIGGER audit ON api_token;
CREATE TRIGGER audit AFTER INSERT OR DELETE ON api_token
    FOR EACH ROW EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit_update AFTER UPDATE ON api_token FOR EACH ROW
    WHEN (to_jsonb(OLD) - 'last_used_at' IS DISTINCT FROM to_jsonb(NEW) - 'last_used_at')
    EXECUTE FUNCTION audit_write();

-- A program that uses the API: named, with a role, its tokens and its TLS client certificates.
CREATE TABLE api_client (
    id entity_id PRIMARY KEY,
    tenant_id entity_id REFERENCES tenant, -- NULL: the platform's
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    role text NOT NULL,
    scope text COLLATE "C" CHECK (scope ~ '^[a-z_]+:(read|write)( [a-z_]+:(read|write))*$'),
    state text NOT NULL CHECK (state IN ('active', 'disabled')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT api_client_role CHECK (
        CASE WHEN tenant_id IS NULL
             THEN role IN ('provider-admin', 'provisioning', 'billing', 'support',
                           'security-officer', 'auditor')
             ELSE role IN ('security-officer', 'auditor', 'tenant-admin', 'tenant-viewer') END)
);

CREATE TABLE api_client_certificate (
    id entity_id PRIMARY KEY,
    client_id entity_id NOT NULL REFERENCES api_client,
    tenant_id entity_id,
    fingerprint text COLLATE "C" NOT NULL UNIQUE CHECK (fingerprint ~ '^[0-9a-f]{64}$'), -- SHA-256 of the DER
    description text NOT NULL CHECK (length(description) <= 200),
    created_at timestamptz NOT NULL
);
CREATE INDEX api_client_certificate_client ON api_client_certificate (client_id);

-- A client's tokens; bound: good only together with a certificate of its client (RFC 8705 §3).
ALTER TABLE api_token
    ADD COLUMN client_id entity_id REFERENCES api_client,
    ADD COLUMN bound boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT api_token_bound CHECK (NOT bound OR client_id IS NOT NULL);
CREATE INDEX api_token_client ON api_token (client_id, created_at) WHERE client_id IS NOT NULL;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['api_client', 'api_client_certificate'] LOOP
        EXECUTE format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION audit_write()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY platform ON %I TO sg_owner, sg_gateway, sg_tenant, sg_provider
                        USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY own ON %I TO sg_api
                        USING (tenant_id = current_setting(''app.tenant'', true))
                        WITH CHECK (tenant_id = current_setting(''app.tenant'', true))', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON api_client TO sg_provider;
GRANT SELECT, INSERT, DELETE ON api_client_certificate TO sg_provider;

CREATE OR REPLACE VIEW auth_token AS
    SELECT k.id, k.tenant_id, k.role, k.name, k.hash, k.expires_at, k.revoked_at,
           t.state AS tenant_state, k.scope, k.last_used_at, k.client_id, c.state AS client_state,
           k.bound
    FROM api_token k
    LEFT JOIN tenant t ON t.id = k.tenant_id
    LEFT JOIN api_client c ON c.id = k.client_id;

CREATE VIEW auth_certificate AS
    SELECT k.fingerprint, c.id AS client_id, c.tenant_id, c.role, c.scope, c.name,
           c.state AS client_state, t.state AS tenant_state
    FROM api_client_certificate k
    JOIN api_client c ON c.id = k.client_id
    LEFT JOIN tenant t ON t.id = c.tenant_id;
GRANT SELECT ON auth_certificate TO sg_auth;

-- The one thing that sg_auth writes, at most once a minute for a token.
CREATE FUNCTION token_used(token text, at timestamptz) RETURNS void LANGUAGE sql
    SECURITY DEFINER SET search_path = sealgate, pg_temp AS $$
    UPDATE api_token SET last_used_at = at
    WHERE id = token AND (last_used_at IS NULL OR last_used_at <= at - interval '1 minute')
$$;
REVOKE ALL ON FUNCTION token_used(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION token_used(text, timestamptz) TO sg_auth;

-- Answers kept for requests that are sent again (Idempotency-Key), written in the transaction of
-- their effect. Where an answer shows a secret, body is without it, and secret is sealed under a key
-- that comes from the caller's own token.
CREATE TABLE idempotency_key (
    caller entity_id NOT NULL, -- an API client, or a token of none
    key text COLLATE "C" NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    tenant_id entity_id,
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32), -- of method, path and body
    status integer, -- NULL: at work, seen by its own transaction alone
    location text,
    body text,
    secret bytea,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_key_expiry ON idempotency_key (expires_at);
ALTER TABLE idempotency_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_key FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON idempotency_key TO sg_owner, sg_tenant, sg_provider
    USING (true) WITH CHECK (true);
CREATE POLICY own ON idempotency_key TO sg_api
    USING (tenant_id = current_setting('app.tenant', true))
    WITH CHECK (tenant_id = current_setting('app.tenant', true));
GRANT SELECT, INSERT, UPDATE ON idempotency_key TO sg_api, sg_provider;
GRANT SELECT, DELETE ON idempotency_key TO sg_tenant;
