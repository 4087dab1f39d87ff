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

CREATE OR REPLACE VIEW auth_token AS
    SELECT k.id, k.tenant_id, k.role, k.name, k.hash, k.expires_at, k.revoked_at,
           t.state AS tenant_state, k.scope, k.last_used_at
    FROM api_token k LEFT JOIN tenant t ON t.id = k.tenant_id;

-- The one thing that sg_auth writes, at most once a minute for a token.
CREATE FUNCTION token_used(token text, at timestamptz) RETURNS void LANGUAGE sql
    SECURITY DEFINER SET search_path = sealgate, pg_temp AS $$
    UPDATE api_token SET last_used_at = at
    WHERE id = token AND (last_used_at IS NULL OR last_used_at <= at - interval '1 minute')
$$;
REVOKE ALL ON FUNCTION token_used(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION token_used(text, timestamptz) TO sg_auth;
