-- REQ-59: checking whether one certificate is revoked is bypassed until an end. (Of a whole domain: its
-- policy's crl_bypass_until.) It ends by itself; the row stays, to be seen.
SET LOCAL search_path = sealgate;

CREATE TABLE crl_bypass (
    id entity_id PRIMARY KEY,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32), -- of the certificate
    reason text NOT NULL CHECK (reason <> ''),
    actor text NOT NULL, -- who asked for it, as in the audit log
    created_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > created_at)
);
CREATE INDEX crl_bypass_sha256 ON crl_bypass (sha256, ends_at);
CREATE INDEX crl_bypass_created ON crl_bypass (created_at, id);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON crl_bypass
    FOR EACH ROW EXECUTE FUNCTION audit_write();
CREATE TRIGGER notify AFTER INSERT OR UPDATE OR DELETE ON crl_bypass
    FOR EACH STATEMENT EXECUTE FUNCTION config_notify();
GRANT SELECT ON crl_bypass TO sg_gateway, sg_tenant, sg_provider;
GRANT INSERT, DELETE ON crl_bypass TO sg_provider;
