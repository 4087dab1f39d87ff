-- Certificates that are asked for by mail (REQ-44), directories of a CA alone (REQ-58), and held mail
-- that goes the moment a certificate is there (REQ-51, 56).
SET LOCAL search_path = sealgate;

-- Which partner was asked last, and on behalf of which domain of ours: one request a partner and
-- period, whatever number of messages and domains wait for its certificate.
CREATE TABLE certificate_request (
    partner dns_name PRIMARY KEY,
    id entity_id NOT NULL UNIQUE,
    tenant_id entity_id NOT NULL REFERENCES tenant,
    domain_id entity_id NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'sent', 'failed')),
    created_at timestamptz NOT NULL,
    next_try_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    sent_at timestamptz,
    answered_at timestamptz, -- a certificate came that was good
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX certificate_request_due ON certificate_request (next_try_at) WHERE state = 'pending';

-- When a partner's request was answered last.
CREATE TABLE certificate_answer (
    domain_id entity_id NOT NULL,
    partner dns_name NOT NULL,
    tenant_id entity_id NOT NULL REFERENCES tenant,
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (domain_id, partner),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id) ON DELETE CASCADE
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['certificate_request', 'certificate_answer'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY platform ON %I TO sg_owner, sg_gateway, sg_tenant, sg_provider
                        USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY own ON %I TO sg_api
                        USING (tenant_id = current_setting(''app.tenant'', true))
                        WITH CHECK (tenant_id = current_setting(''app.tenant'', true))', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON certificate_request, certificate_answer TO sg_gateway;
GRANT SELECT ON certificate_request, certificate_answer TO sg_tenant, sg_provider;

CREATE FUNCTION request_notify() RETURNS trigger LANGUAGE plpgsql
    SET search_path = sealgate, pg_temp AS $$
BEGIN
    PERFORM pg_notify('sealgate_request', '');
    RETURN NULL;
END $$;
CREATE TRIGGER notify_insert AFTER INSERT ON certificate_request FOR EACH ROW
    EXECUTE FUNCTION request_notify();
CREATE TRIGGER notify_update AFTER UPDATE OF id ON certificate_request FOR EACH ROW
    WHEN (NEW.id <> OLD.id) EXECUTE FUNCTION request_notify();

-- A certificate that may be used, wherever it came from (harvest, request, directory, by hand,
-- approval): what is held for want of one is due at once, which wakes the worker of held mail.
CREATE INDEX held_message_partner ON held_message (recipient_domain) WHERE state = 'held';
CREATE FUNCTION partner_certificate_wake() RETURNS trigger LANGUAGE plpgsql
    SET search_path = sealgate, pg_temp AS $$
DECLARE
    at timestamptz := nullif(current_setting('app.now', true), '')::timestamptz;
BEGIN
    UPDATE held_message SET next_try_at = at
    WHERE recipient_domain = NEW.domain AND state = 'held' AND reason IN ('201', '202')
      AND NOT (quarantined AND approved_at IS NULL) AND next_try_at > at;
    RETURN NULL;
END $$;
CREATE TRIGGER wake_insert AFTER INSERT ON partner_certificate FOR EACH ROW
    WHEN (NEW.state = 'active') EXECUTE FUNCTION partner_certificate_wake();
CREATE TRIGGER wake_update AFTER UPDATE OF state ON partner_certificate FOR EACH ROW
    WHEN (NEW.state = 'active' AND OLD.state <> 'active') EXECUTE FUNCTION partner_certificate_wake();

-- REQ-58: the directory of one CA. It is asked for a certificate in the place of one that was issued
-- below that CA and is not good any more; '': the usual filter and attribute.
ALTER TABLE directory_source
    ADD COLUMN anchor_id entity_id REFERENCES trust_anchor ON DELETE CASCADE,
    ADD COLUMN filter text NOT NULL DEFAULT '' CHECK (length(filter) <= 300),
    ADD COLUMN attribute text NOT NULL DEFAULT '' CHECK (length(attribute) <= 100),
    DROP CONSTRAINT directory_source_url_key,
    ADD CONSTRAINT directory_source_once UNIQUE NULLS NOT DISTINCT (url, base_dn, anchor_id);
