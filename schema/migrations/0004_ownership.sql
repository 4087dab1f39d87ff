-- Who owns a domain (REQ-135): a TXT challenge in the DNS, checked again and again; and the domain's
-- postmaster account (REQ-182). States of a domain and how they follow each other:
-- schema/domain_state.h.
SET LOCAL search_path = sealgate;

ALTER TABLE domain DROP CONSTRAINT domain_state_check;
ALTER TABLE domain ADD CONSTRAINT domain_state_check CHECK
    (state IN ('pending', 'attested', 'verified', 'failed', 'suspended', 'revoked'));
-- A tenant claims a name once. What others claim shows in nothing, see domain_name_owned.
CREATE UNIQUE INDEX domain_tenant_name ON domain (tenant_id, name) WHERE state <> 'revoked';

CREATE TABLE domain_ownership (
    domain_id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL,
    method text NOT NULL CHECK (method IN ('attested', 'dns')),
    -- the value that the TXT record must have, random and this domain row's alone; '' none is asked
    challenge text COLLATE "C" NOT NULL,
    asked_at timestamptz,
    deadline_at timestamptz,   -- of a challenge that is not met
    attempts integer NOT NULL DEFAULT 0, -- since the last check that found it
    checked_at timestamptz,
    next_check_at timestamptz, -- NULL: it is not looked at
    result text NOT NULL DEFAULT '' CHECK (result IN ('', 'found', 'missing', 'bogus', 'unavailable')),
    dnssec text NOT NULL DEFAULT '' CHECK (dnssec IN ('', 'secure', 'insecure', 'bogus')),
    last_error text NOT NULL DEFAULT '',
    missing_since timestamptz, -- of a domain that was verified
    suspend_at timestamptz,    -- when the grace is over
    notices integer NOT NULL DEFAULT 0, -- sent since it is missing
    verified_at timestamptz,
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX domain_ownership_due ON domain_ownership (next_check_at) WHERE next_check_at IS NOT NULL;
INSERT INTO domain_ownership (domain_id, tenant_id, method, challenge)
SELECT id, tenant_id, 'attested', '' FROM domain;

CREATE TABLE postmaster_check (
    domain_id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL,
    state text NOT NULL CHECK (state IN ('asked', 'sent', 'failed', 'verified')),
    hash bytea CHECK (length(hash) = 32), -- SHA-256 of domain id and code
    asked_at timestamptz NOT NULL,
    asked_today integer NOT NULL, -- within a day of day_begin
    day_begin timestamptz NOT NULL,
    sent_at timestamptz,
    expires_at timestamptz,
    tries integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    verified_at timestamptz,
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id) ON DELETE CASCADE
);

-- Who asked for which challenge, and who proved a postmaster; not each look at the DNS.
CREATE TRIGGER audit_insert AFTER INSERT OR DELETE ON domain_ownership
    FOR EACH ROW EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit_update AFTER UPDATE ON domain_ownership FOR EACH ROW
    WHEN (OLD.challenge <> NEW.challenge OR OLD.method <> NEW.method)
    EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON postmaster_check
    FOR EACH ROW EXECUTE FUNCTION audit_write();

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['domain_ownership', 'postmaster_check'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY platform ON %I TO sg_owner, sg_gateway, sg_tenant, sg_provider
                        USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY own ON %I TO sg_api
                        USING (tenant_id = current_setting(''app.tenant'', true))
                        WITH CHECK (tenant_id = current_setting(''app.tenant'', true))', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON domain_ownership, postmaster_check TO sg_api, sg_provider, sg_tenant;
-- A tenant claims its domains itself, gives them up, and never has one proved by its own word.
CREATE POLICY claimed ON domain AS RESTRICTIVE FOR INSERT TO sg_api WITH CHECK (state = 'pending');
CREATE POLICY given_up ON domain AS RESTRICTIVE FOR UPDATE TO sg_api
    USING (true) WITH CHECK (state IN ('pending', 'revoked'));
CREATE POLICY unproved ON domain AS RESTRICTIVE FOR DELETE TO sg_api
    USING (state IN ('pending', 'failed'));
GRANT INSERT, DELETE ON domain TO sg_api;
GRANT UPDATE (state, updated_at) ON domain TO sg_api;
GRANT DELETE ON domain TO sg_provider;
GRANT DELETE ON next_hop TO sg_api, sg_provider;

-- Postfix: whose mail is ours, and whether it may go now. What is suspended keeps its route, so
-- that mail in the queues waits and is not bounced.
CREATE OR REPLACE VIEW postfix_domain AS
    SELECT d.name, d.state IN ('attested', 'verified') AND t.state = 'active' AS active
    FROM domain d JOIN tenant t ON t.id = d.tenant_id
    WHERE d.state IN ('attested', 'verified', 'suspended') AND t.state IN ('active', 'suspended');
