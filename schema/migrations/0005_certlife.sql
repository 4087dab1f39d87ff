-- The life of certificates: authorities, orders, renewal and cut-over, revocation, compromise.
SET LOCAL search_path = sealgate;

-- Who issues (REQ-178). Secrets lie in files of tenantd's credentials directory; here is their name.
CREATE TABLE certificate_authority (
    id entity_id PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    method text NOT NULL CHECK (method IN ('est', 'manual')),
    est_url text NOT NULL DEFAULT '' CHECK (length(est_url) <= 500), -- https://…/.well-known/est
    tls_ca_pem text NOT NULL DEFAULT '', -- of its server; empty: the system's
    authentication text NOT NULL DEFAULT 'none'
        CHECK (authentication IN ('none', 'password', 'certificate')),
    account text NOT NULL DEFAULT '' CHECK (length(account) <= 200),
    credential text NOT NULL DEFAULT '' CHECK (credential ~ '^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$'),
    renewal_lead_days integer NOT NULL CHECK (renewal_lead_days BETWEEN 1 AND 180),
    key_algorithm text NOT NULL CHECK (key_algorithm IN ('rsa-2048', 'rsa-3072', 'rsa-4096')),
    key_kind text NOT NULL CHECK (key_kind IN ('token', 'wrapped')),
    revocation_url text NOT NULL DEFAULT '' CHECK (length(revocation_url) <= 500),
    directory_id entity_id REFERENCES directory_source, -- where it publishes; NULL: not looked at
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((method = 'est') = (est_url <> '')),
    CHECK ((authentication = 'password') = (account <> '')),
    CHECK ((authentication = 'none') = (credential = ''))
);
CREATE UNIQUE INDEX certificate_authority_default ON certificate_authority (is_default)
    WHERE is_default;

-- Which one a domain uses: its own, else its tenant's, else the default; none: no orders are made.
ALTER TABLE tenant ADD COLUMN authority_id entity_id REFERENCES certificate_authority;
ALTER TABLE domain ADD COLUMN authority_id entity_id REFERENCES certificate_authority;

-- Keys: active → retired (nothing decrypts with it any more) → destroyed; compromised ones still
-- decrypt what was on its way. A key's row outlives the key, so that it never comes back (REQ-189).
ALTER TABLE hsm_key DROP CONSTRAINT hsm_key_state_check;
ALTER TABLE hsm_key ADD CONSTRAINT hsm_key_state_check CHECK
    (state IN ('pending', 'active', 'retired', 'compromised', 'failed', 'destroyed'));
ALTER TABLE hsm_key ADD CONSTRAINT hsm_key_public CHECK
    (state NOT IN ('retired', 'compromised') OR spki IS NOT NULL);
ALTER TABLE hsm_key ADD COLUMN retired_at timestamptz;

CREATE FUNCTION hsm_key_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = sealgate, pg_temp AS $$
BEGIN
    IF OLD.state <> NEW.state AND OLD.state || ' ' || NEW.state NOT IN ('pending active',
        'pending failed', 'active retired', 'active compromised', 'retired compromised',
        'retired destroyed', 'compromised retired', 'failed destroyed') THEN
        RAISE EXCEPTION 'a key that is % does not become %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state <> NEW.state AND current_user IN ('sg_api', 'sg_provider')
        AND NEW.state NOT IN ('compromised', 'failed') THEN
        RAISE EXCEPTION 'the API makes no key %', NEW.state USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- REQ-45: nobody else has this key, neither a tenant (UNIQUE) nor a partner's domain. A
    -- certificate holds the public key as it is encoded here.
    IF NEW.state = 'active' AND OLD.state = 'pending' AND EXISTS (
        SELECT 1 FROM partner_certificate p
        WHERE position(NEW.spki IN p.der) > 0
          AND p.domain <> (SELECT name FROM domain WHERE id = NEW.domain_id)) THEN
        RAISE EXCEPTION 'the key is in a certificate of another domain'
            USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON hsm_key FOR EACH ROW EXECUTE FUNCTION hsm_key_guard();

-- Certificates: installed (decrypts, and signs when no other can) → active (signs) → superseded
-- (decrypts). Revoked is for ever.
ALTER TABLE certificate DROP CONSTRAINT certificate_state_check;
ALTER TABLE certificate ADD CONSTRAINT certificate_state_check CHECK
    (state IN ('installed', 'active', 'superseded', 'revoked'));
ALTER TABLE certificate
    ADD COLUMN authority_id entity_id REFERENCES certificate_authority,
    ADD COLUMN renew_at timestamptz, -- NULL: 30 days before its end
    ADD COLUMN published text NOT NULL DEFAULT 'unchecked'
        CHECK (published IN ('unchecked', 'waiting', 'overdue', 'published')),
    ADD COLUMN published_at timestamptz,
    ADD COLUMN publication_error text NOT NULL DEFAULT '';

CREATE FUNCTION certificate_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> NEW.state AND OLD.state || ' ' || NEW.state NOT IN ('installed active',
        'installed superseded', 'active superseded') AND NEW.state <> 'revoked' THEN
        RAISE EXCEPTION 'a certificate that is % does not become %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state <> NEW.state AND current_user IN ('sg_api', 'sg_provider')
        AND NEW.state <> 'revoked' THEN
        RAISE EXCEPTION 'the API makes no certificate %', NEW.state
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON certificate FOR EACH ROW
    EXECUTE FUNCTION certificate_guard();

-- A domain's way to a certificate: tenantd/certlife/order.h has its states.
CREATE TABLE certificate_order (
    id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL,
    domain_id entity_id NOT NULL,
    authority_id entity_id NOT NULL REFERENCES certificate_authority,
    reason text NOT NULL CHECK (reason IN ('initial', 'renewal', 'rekey', 'compromise', 'request')),
    state text NOT NULL CHECK (state IN ('key', 'csr', 'enrol', 'pending', 'received', 'installed',
                                         'failed', 'cancelled')),
    cause text NOT NULL DEFAULT '',      -- "unreachable", "wrong-key", … of the last fault
    explanation text NOT NULL DEFAULT '', -- in words: what it waits for, or what went wrong
    key_id entity_id NOT NULL,
    certificate_id entity_id REFERENCES certificate,
    chain bytea[] NOT NULL DEFAULT '{}', -- what the authority gave, not yet checked, leaf first
    attempts integer NOT NULL DEFAULT 0,  -- at the authority, since it last gave an answer
    polls integer NOT NULL DEFAULT 0,     -- while pending
    next_at timestamptz,                  -- when it is looked at again; failed: when another is made
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz,
    FOREIGN KEY (tenant_id, domain_id, key_id) REFERENCES hsm_key (tenant_id, domain_id, id),
    CHECK ((state IN ('installed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK (state <> 'installed' OR certificate_id IS NOT NULL)
);
CREATE UNIQUE INDEX certificate_order_open ON certificate_order (domain_id)
    WHERE finished_at IS NULL;
CREATE INDEX certificate_order_domain ON certificate_order (domain_id, created_at, id);
CREATE INDEX certificate_order_key ON certificate_order (key_id);

-- One call (REQ-174, 200); its steps are its times.
CREATE TABLE certificate_compromise (
    id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL,
    domain_id entity_id NOT NULL,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    state text NOT NULL CHECK (state IN ('running', 'done')),
    waits_for text NOT NULL DEFAULT '', -- in words
    order_id entity_id REFERENCES certificate_order,
    certificate_id entity_id REFERENCES certificate, -- the new one
    created_at timestamptz NOT NULL,    -- the old ones are revoked here from this moment on
    ordered_at timestamptz,
    installed_at timestamptz,
    released_at timestamptz,            -- mail that waited
    revoked_at timestamptz,             -- the authority has been told, or it is a task by hand
    published_at timestamptz,           -- the new one is in the directory
    removed_at timestamptz,             -- the old ones are not
    listed_at timestamptz,              -- they are on the revocation list
    finished_at timestamptz,
    updated_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id),
    CHECK ((state = 'done') = (finished_at IS NOT NULL))
);
CREATE UNIQUE INDEX certificate_compromise_open ON certificate_compromise (domain_id)
    WHERE state = 'running';
CREATE INDEX certificate_compromise_domain ON certificate_compromise (domain_id, created_at, id);

CREATE TABLE certificate_revocation (
    id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL,
    domain_id entity_id NOT NULL,
    certificate_id entity_id NOT NULL UNIQUE REFERENCES certificate,
    compromise_id entity_id REFERENCES certificate_compromise,
    reason text NOT NULL CHECK (reason IN ('keyCompromise', 'cessationOfOperation', 'superseded',
                                           'affiliationChanged', 'unspecified')),
    state text NOT NULL CHECK (state IN ('queued', 'by_hand', 'requested', 'confirmed')),
    explanation text NOT NULL DEFAULT '',
    requested_at timestamptz,
    listed_at timestamptz,
    removed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id)
);
CREATE INDEX certificate_revocation_domain ON certificate_revocation (domain_id, created_at, id);
CREATE INDEX certificate_revocation_compromise ON certificate_revocation (compromise_id);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['certificate_order', 'certificate_compromise',
        'certificate_revocation'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY platform ON %I TO sg_owner, sg_gateway, sg_tenant, sg_provider
                        USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY own ON %I TO sg_api
                        USING (tenant_id = current_setting(''app.tenant'', true))
                        WITH CHECK (tenant_id = current_setting(''app.tenant'', true))', t);
        EXECUTE format('GRANT SELECT ON %I TO sg_api, sg_provider', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO sg_tenant', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['certificate_authority', 'certificate_compromise',
        'certificate_revocation'] LOOP
        EXECUTE format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION audit_write()', t);
    END LOOP;
END $$;
-- Of orders: each state, not each time that an authority was asked again.
CREATE TRIGGER audit_insert AFTER INSERT OR DELETE ON certificate_order
    FOR EACH ROW EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit_update AFTER UPDATE ON certificate_order FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION audit_write();

GRANT SELECT ON certificate_authority TO sg_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON certificate_authority TO sg_provider;
GRANT UPDATE (next_try_at) ON held_message TO sg_tenant;
-- Revoked here and at once by the call itself; hsm_key_guard and certificate_guard let nothing back.
GRANT INSERT ON certificate_compromise, certificate_revocation TO sg_api, sg_provider;
GRANT UPDATE (state, updated_at) ON certificate, hsm_key TO sg_api, sg_provider;
GRANT UPDATE (state, cause, explanation, next_at, finished_at, updated_at) ON certificate_order
    TO sg_api, sg_provider;
