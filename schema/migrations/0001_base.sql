-- The base: configuration of tenants and domains, keys and certificates, mail held, retention,
-- trace, jobs, audit. Rules that hold throughout:
--  * Every table with a tenant has row-level security with FORCE. sg_api sees the rows of
--    app.tenant alone (unset: none); sg_provider, sg_gateway and sg_tenant work platform-wide.
--  * Each transaction sets app.tenant, app.actor, app.address and app.now; time is never now().
--  * Columns that are searched are stored normalised (lower case) and COLLATE "C".
--  * A row of `audit` is written by trigger in the transaction of every change to configuration;
--    without app.actor the change fails.
-- The runner has made the schema and its table `migration`.
REVOKE ALL ON SCHEMA sealgate FROM PUBLIC;
GRANT USAGE ON SCHEMA sealgate
    TO sg_gateway, sg_tenant, sg_api, sg_provider, sg_auth, sg_audit, sg_postfix;
GRANT SELECT ON sealgate.migration TO sg_gateway, sg_tenant, sg_api, sg_provider, sg_auth;
SET LOCAL search_path = sealgate;

CREATE DOMAIN entity_id AS text COLLATE "C" CHECK (VALUE ~ '^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$');
CREATE DOMAIN dns_name AS text COLLATE "C"
    CHECK (VALUE = lower(VALUE) AND length(VALUE) <= 253 AND VALUE ~ '^[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?$');
CREATE DOMAIN address AS text COLLATE "C" CHECK (length(VALUE) <= 512);

-- Configuration ---------------------------------------------------------------------------------

CREATE TABLE tenant (
    id entity_id PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    state text NOT NULL CHECK (state IN ('active', 'suspended', 'closed')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE domain (
    id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL REFERENCES tenant,
    name dns_name NOT NULL,
    environment text NOT NULL CHECK (environment IN ('seemail', 'securemail')),
    state text NOT NULL CHECK (state IN ('pending', 'attested', 'verified', 'suspended', 'revoked')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (tenant_id, id)
);
-- A claim that is not proved reveals nothing about another tenant's domain.
CREATE UNIQUE INDEX domain_name_owned ON domain (name)
    WHERE state IN ('attested', 'verified', 'suspended');
CREATE INDEX domain_tenant ON domain (tenant_id, name);

-- Who may submit mail for a tenant at the Postfix "out" edge (REQ-136): one network or one client
-- certificate belongs to one tenant.
CREATE TABLE submitter (
    id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL REFERENCES tenant,
    kind text NOT NULL CHECK (kind IN ('network', 'client_certificate')),
    network cidr,
    fingerprint text COLLATE "C" CHECK (fingerprint ~ '^[0-9a-f]{64}$'), -- SHA-256 of the DER
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 200),
    created_at timestamptz NOT NULL,
    CHECK ((kind = 'network') = (network IS NOT NULL)),
    CHECK ((kind = 'client_certificate') = (fingerprint IS NOT NULL)),
    EXCLUDE USING gist (network inet_ops WITH &&),
    UNIQUE (fingerprint)
);
CREATE INDEX submitter_tenant ON submitter (tenant_id);

CREATE TABLE next_hop (
    domain_id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL,
    protocol text NOT NULL CHECK (protocol IN ('smtp', 'lmtp')),
    host text NOT NULL CHECK (length(host) BETWEEN 1 AND 253),
    port integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    tls text NOT NULL CHECK (tls IN ('none', 'opportunistic', 'required', 'verified')),
    ca_pem text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id)
);

-- A key pair in the HSM: on the token, or wrapped here. Two tenants never share one.
CREATE TABLE hsm_key (
    id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL,
    domain_id entity_id NOT NULL,
    class text NOT NULL CHECK (class = 'dca'),
    kind text NOT NULL CHECK (kind IN ('token', 'wrapped')),
    algorithm text NOT NULL CHECK (algorithm IN ('rsa-2048', 'rsa-3072', 'rsa-4096')),
    state text NOT NULL CHECK (state IN ('pending', 'active', 'failed', 'destroyed')),
    spki bytea,
    spki_sha256 bytea UNIQUE,
    blob bytea,
    csr bytea,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (state <> 'active' OR (spki IS NOT NULL AND spki_sha256 IS NOT NULL)),
    CHECK (state <> 'active' OR kind = 'token' OR blob IS NOT NULL),
    UNIQUE (tenant_id, domain_id, id),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domain (tenant_id, id)
);
CREATE INDEX hsm_key_domain ON hsm_key (domain_id);

-- Our own domains' certificates. The newest active one signs (REQ-37), every one decrypts (REQ-38).
CREATE TABLE certificate (
    id entity_id PRIMARY KEY,
    tenant_id entity_id NOT NULL,
    domain_id entity_id NOT NULL,
    key_id entity_id NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'superseded', 'revoked')),
    der bytea NOT NULL,
    chain bytea[] NOT NULL DEFAULT '{}', -- intermediate certificates, DER, leaf's issuer first
    sha256 bytea NOT NULL UNIQUE,
    subject text NOT NULL,
    issuer text NOT NULL,
    serial text NOT NULL, -- lower-case hexadecimal
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, domain_id, key_id) REFERENCES hsm_key (tenant_id, domain_id, id)
);
CREATE INDEX certificate_domain ON certificate (domain_id, not_before DESC);

-- Platform-wide: roots that are accredited, directories, and the lists of member domains.
CREATE TABLE trust_anchor (
    id entity_id PRIMARY KEY,
    der bytea NOT NULL,
    sha256 bytea NOT NULL UNIQUE,
    subject text NOT NULL,
    not_after timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE directory_source (
    id entity_id PRIMARY KEY,
    url text NOT NULL UNIQUE CHECK (length(url) <= 500), -- ldap:// or ldaps://
    base_dn text NOT NULL,
    bind_dn text NOT NULL DEFAULT '',
    ca_pem text NOT NULL DEFAULT '',
    position integer NOT NULL, -- asked in this order
    created_at timestamptz NOT NULL
);

CREATE TABLE member_domain (
    id entity_id PRIMARY KEY,
    name dns_name NOT NULL,
    environment text NOT NULL CHECK (environment IN ('seemail', 'securemail')),
    created_at timestamptz NOT NULL,
    UNIQUE (name, environment)
);

CREATE TABLE api_token (
    id entity_id PRIMARY KEY,
    tenant_id entity_id REFERENCES tenant, -- NULL: the provider's
    role text NOT NULL CHECK (role IN ('provider-admin', 'tenant-admin', 'tenant-viewer')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32), -- SHA-256 of the token
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CHECK ((role = 'provider-admin') = (tenant_id IS NULL))
);

-- Caches of gatewayd ----------------------------------------------------------------------------

CREATE TABLE partner_certificate (
    sha256 bytea NOT NULL,
    domain dns_name NOT NULL, -- a certificate may name several
    der bytea NOT NULL,
    source text NOT NULL CHECK (source IN ('ldap', 'mail', 'api')),
    origin text NOT NULL, -- which directory, which message
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (sha256, domain)
);
CREATE INDEX partner_certificate_domain ON partner_certificate (domain, not_before DESC);

CREATE TABLE crl (
    url text COLLATE "C" PRIMARY KEY,
    der bytea NOT NULL,
    this_update timestamptz NOT NULL,
    next_update timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL
);

-- Keys of the archive (see ARCHITECTURE, Keys): a quarter's key pair in the HSM, and the data key
-- of a node, tenant and day wrapped to its public half.
CREATE TABLE archive_key (
    id entity_id PRIMARY KEY,
    quarter text COLLATE "C" NOT NULL UNIQUE CHECK (quarter ~ '^[0-9]{4}q[1-4]$'),
    kind text NOT NULL CHECK (kind IN ('token', 'wrapped')),
    spki bytea NOT NULL,
    blob bytea,
    created_at timestamptz NOT NULL
);

CREATE TABLE archive_data_key (
    id entity_id PRIMARY KEY,
    archive_key_id entity_id NOT NULL REFERENCES archive_key,
    node text NOT NULL,
    tenant_id entity_id NOT NULL,
    day date NOT NULL,
    wrapped bytea NOT NULL, -- RSA-OAEP, SHA-256
    created_at timestamptz NOT NULL
);
CREATE INDEX archive_data_key_tenant ON archive_data_key (tenant_id, day);

-- Mail on its way ---------------------------------------------------------------------------------

-- REQ-56. The body is sealed (AES-256-GCM in chunks) under a data key that only hsmd opens.
CREATE TABLE held_message (
    id entity_id PRIMARY KEY,
    msg_id entity_id NOT NULL,
    tenant_id entity_id NOT NULL REFERENCES tenant,
    domain_id entity_id NOT NULL,
    direction text NOT NULL CHECK (direction IN ('outbound', 'inbound')),
    state text NOT NULL CHECK (state IN ('held', 'sent', 'deleted', 'expired')),
    reason text NOT NULL,       -- code of table 3: "201", "202"
    explanation text NOT NULL,  -- a sentence for the operator
    sender address NOT NULL,
    recipients text[] NOT NULL, -- normalised, of one recipient domain
    recipient_domain dns_name NOT NULL,
    queue_id text NOT NULL,
    size_bytes bigint NOT NULL,
    wrapped_key bytea NOT NULL,
    received_at timestamptz NOT NULL,
    held_at timestamptz NOT NULL,
    next_try_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    finished_at timestamptz
);
CREATE INDEX held_message_due ON held_message (next_try_at) WHERE state = 'held';
CREATE INDEX held_message_tenant ON held_message (tenant_id, held_at, id);
CREATE UNIQUE INDEX held_message_once ON held_message (msg_id, recipient_domain)
    WHERE state = 'held';

CREATE TABLE held_chunk (
    held_id entity_id NOT NULL REFERENCES held_message ON DELETE CASCADE,
    tenant_id entity_id NOT NULL,
    seq integer NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (held_id, seq)
);

-- The outbox of notices. original (the four headers of REQ-77 and what the text needs) is sealed
-- like held mail.
CREATE TABLE notice (
    id entity_id PRIMARY KEY,
    msg_id entity_id NOT NULL,
    tenant_id entity_id NOT NULL,
    domain_id entity_id NOT NULL,
    kind text NOT NULL CHECK (kind IN ('failure', 'delayed', 'non-delivery', 'receipt')),
    recipient address NOT NULL,
    about address NOT NULL,       -- the first recipient it concerns
    original bytea NOT NULL,
    wrapped_key bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'sent', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    next_try_at timestamptz NOT NULL,
    finished_at timestamptz,
    UNIQUE (msg_id, kind, recipient, about)
);
CREATE INDEX notice_due ON notice (next_try_at) WHERE state = 'pending';

-- Retention log (REQ-117) and trace; fed from the journal, hence idempotent by id. Partitioned by
-- month of the message's receipt.
CREATE TABLE message (
    id entity_id NOT NULL,
    received_at timestamptz NOT NULL,
    tenant_id entity_id NOT NULL,
    direction text NOT NULL CHECK (direction IN ('outbound', 'inbound')),
    node text NOT NULL,
    queue_id text COLLATE "C" NOT NULL,
    sender address NOT NULL,      -- envelope, normalised; '' is the null sender
    sender_domain text COLLATE "C" NOT NULL,
    header_from address NOT NULL,
    message_id text COLLATE "C" NOT NULL, -- RFC 5322, without angle brackets
    client_address text NOT NULL,
    size_bytes bigint NOT NULL,
    body_sha256 bytea,            -- of the original as received
    archive_ref text NOT NULL,    -- segment and offset in the node's archive
    PRIMARY KEY (received_at, id)
) PARTITION BY RANGE (received_at);
CREATE INDEX message_tenant ON message (tenant_id, received_at);
CREATE INDEX message_queue ON message (queue_id);
CREATE INDEX message_id_only ON message (id);
CREATE INDEX message_message_id ON message (tenant_id, message_id);
CREATE INDEX message_sender ON message (tenant_id, sender);

CREATE TABLE message_recipient (
    msg_id entity_id NOT NULL,
    received_at timestamptz NOT NULL,
    tenant_id entity_id NOT NULL,
    recipient address NOT NULL,   -- normalised
    recipient_domain text COLLATE "C" NOT NULL,
    outcome text NOT NULL CHECK (outcome IN
        ('received', 'delivered', 'held', 'refused', 'deferred', 'discarded', 'expired')),
    verdict text NOT NULL DEFAULT '', -- plain, sealed, verified, unverified
    codes text[] NOT NULL DEFAULT '{}', -- of table 3
    reply text NOT NULL DEFAULT '',   -- what the next hop said
    outcome_at timestamptz NOT NULL,
    PRIMARY KEY (received_at, msg_id, recipient)
) PARTITION BY RANGE (received_at);
CREATE INDEX message_recipient_tenant ON message_recipient (tenant_id, recipient, received_at);
CREATE INDEX message_recipient_message ON message_recipient (msg_id);

CREATE TABLE trace_event (
    record_id bytea NOT NULL,     -- of the journal record that carried it
    msg_id entity_id NOT NULL,
    received_at timestamptz NOT NULL,
    tenant_id entity_id NOT NULL,
    at timestamptz NOT NULL,
    seq integer NOT NULL,         -- order within the record
    step text NOT NULL,           -- "certificate.checked", "sealed", …
    requirement text NOT NULL DEFAULT '', -- "REQ-47"
    detail jsonb NOT NULL,
    PRIMARY KEY (received_at, msg_id, record_id, seq)
) PARTITION BY RANGE (received_at);
CREATE INDEX trace_event_message ON trace_event (msg_id, at, seq);

-- Work and audit ----------------------------------------------------------------------------------

CREATE TABLE job (
    id entity_id PRIMARY KEY,
    tenant_id entity_id REFERENCES tenant,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    run_at timestamptz NOT NULL,
    lease_until timestamptz,
    worker text NOT NULL DEFAULT '',
    last_error text NOT NULL DEFAULT '',
    result jsonb,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX job_due ON job (run_at) WHERE state = 'queued';
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_tenant ON job (tenant_id, created_at);

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    tenant_id text COLLATE "C", -- NULL: the platform's
    actor text NOT NULL,
    address text NOT NULL,      -- where the actor came from
    request_id text NOT NULL,
    action text NOT NULL CHECK (action IN ('insert', 'update', 'delete')),
    object text NOT NULL,       -- table
    object_id text NOT NULL,
    before jsonb,
    after jsonb,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX audit_tenant ON audit (tenant_id, at);
CREATE INDEX audit_object ON audit (object, object_id);

-- Keys and bodies are not copied into the audit log, only that they changed.
CREATE FUNCTION audit_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = sealgate, pg_temp AS $$
DECLARE
    row_before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - '{blob,hash,wrapped_key,der,chain,spki,csr,payload,result}'::text[] END;
    row_after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - '{blob,hash,wrapped_key,der,chain,spki,csr,payload,result}'::text[] END;
    actor text := current_setting('app.actor', true);
    object jsonb := coalesce(row_after, row_before);
BEGIN
    IF coalesce(actor, '') = '' THEN
        RAISE EXCEPTION 'change to % without app.actor', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO audit (at, tenant_id, actor, address, request_id, action, object, object_id, before, after)
    VALUES (current_setting('app.now')::timestamptz,
            CASE WHEN TG_TABLE_NAME = 'tenant' THEN object->>'id' ELSE object->>'tenant_id' END,
            actor, coalesce(current_setting('app.address', true), ''),
            coalesce(current_setting('app.request_id', true), ''),
            lower(TG_OP), TG_TABLE_NAME, coalesce(object->>'id', object->>'domain_id'),
            row_before, row_after);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_write() FROM PUBLIC;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['tenant', 'domain', 'submitter', 'next_hop', 'hsm_key', 'certificate',
        'trust_anchor', 'directory_source', 'member_domain', 'api_token', 'archive_key'] LOOP
        EXECUTE format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION audit_write()', t);
    END LOOP;
END $$;
-- Of held mail: that it came, what became of it, and that it was released; not each retry and lease.
CREATE TRIGGER audit_insert AFTER INSERT OR DELETE ON held_message
    FOR EACH ROW EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit_update AFTER UPDATE ON held_message FOR EACH ROW
    WHEN (OLD.state <> NEW.state OR NEW.next_try_at < OLD.next_try_at)
    EXECUTE FUNCTION audit_write();
-- Of jobs: who asked for them.
CREATE TRIGGER audit_insert AFTER INSERT ON job
    FOR EACH ROW EXECUTE FUNCTION audit_write();

-- Months of partitions, from the month of `first` on. Idempotent; called by migrate and daily.
CREATE FUNCTION partitions_ensure(first date, months integer) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = sealgate, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    t text;
    month date;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('sealgate.partitions_ensure'));
    FOR i IN 0..months - 1 LOOP
        month := date_trunc('month', first) + make_interval(months => i);
        FOREACH t IN ARRAY ARRAY['message', 'message_recipient', 'trace_event', 'audit'] LOOP
            IF to_regclass(quote_ident(t || to_char(month, '_YYYY_MM'))) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    t || to_char(month, '_YYYY_MM'), t, month, month + interval '1 month');
            END IF;
        END LOOP;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION partitions_ensure(date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION partitions_ensure(date, integer) TO sg_tenant;

-- Configuration changes are announced; the payload is the table's name.
CREATE FUNCTION config_notify() RETURNS trigger LANGUAGE plpgsql
    SET search_path = sealgate, pg_temp AS $$
BEGIN
    PERFORM pg_notify('sealgate_config', TG_TABLE_NAME);
    RETURN NULL;
END $$;
CREATE FUNCTION job_notify() RETURNS trigger LANGUAGE plpgsql
    SET search_path = sealgate, pg_temp AS $$
BEGIN
    PERFORM pg_notify('sealgate_job', '');
    RETURN NULL;
END $$;
CREATE FUNCTION held_notify() RETURNS trigger LANGUAGE plpgsql
    SET search_path = sealgate, pg_temp AS $$
BEGIN
    PERFORM pg_notify('sealgate_held', '');
    RETURN NULL;
END $$;
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['tenant', 'domain', 'submitter', 'next_hop', 'hsm_key', 'certificate',
        'trust_anchor', 'directory_source', 'member_domain', 'archive_key'] LOOP
        EXECUTE format('CREATE TRIGGER notify AFTER INSERT OR UPDATE OR DELETE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION config_notify()', t);
    END LOOP;
END $$;
-- Only what has become due sooner wakes a worker; a worker's own claims wake nobody.
CREATE TRIGGER notify_insert AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION job_notify();
CREATE TRIGGER notify_update AFTER UPDATE OF state, run_at ON job FOR EACH ROW
    WHEN (NEW.state = 'queued') EXECUTE FUNCTION job_notify();
CREATE TRIGGER notify_insert AFTER INSERT ON held_message FOR EACH ROW EXECUTE FUNCTION held_notify();
CREATE TRIGGER notify_update AFTER UPDATE OF next_try_at ON held_message FOR EACH ROW
    WHEN (NEW.next_try_at < OLD.next_try_at) EXECUTE FUNCTION held_notify();

-- Views for those who see nothing else --------------------------------------------------------------

CREATE VIEW postfix_domain AS
    SELECT d.name FROM domain d JOIN tenant t ON t.id = d.tenant_id
    WHERE d.state IN ('attested', 'verified') AND t.state = 'active';
GRANT SELECT ON postfix_domain TO sg_postfix;

CREATE VIEW auth_token AS
    SELECT k.id, k.tenant_id, k.role, k.name, k.hash, k.expires_at, k.revoked_at,
           t.state AS tenant_state
    FROM api_token k LEFT JOIN tenant t ON t.id = k.tenant_id;
GRANT SELECT ON auth_token TO sg_auth;

-- Rights and row-level security ---------------------------------------------------------------------

DO $$
DECLARE
    t text;
    key text;
BEGIN
    -- with a tenant
    FOREACH t IN ARRAY ARRAY['tenant', 'domain', 'submitter', 'next_hop', 'hsm_key', 'certificate',
        'api_token', 'archive_data_key', 'held_message', 'held_chunk', 'notice', 'message',
        'message_recipient', 'trace_event', 'job', 'audit'] LOOP
        key := CASE WHEN t = 'tenant' THEN 'id' ELSE 'tenant_id' END;
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY platform ON %I TO sg_owner, sg_gateway, sg_tenant, sg_provider
                        USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY own ON %I TO sg_api
                        USING (%I = current_setting(''app.tenant'', true))
                        WITH CHECK (%I = current_setting(''app.tenant'', true))', t, key, key);
    END LOOP;
    EXECUTE 'CREATE POLICY reader ON audit FOR SELECT TO sg_audit USING (true)';
END $$;

GRANT SELECT ON tenant, domain, submitter, next_hop, hsm_key, certificate, trust_anchor,
    directory_source, member_domain, archive_key TO sg_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON partner_certificate, crl TO sg_gateway;
GRANT SELECT, INSERT ON archive_data_key TO sg_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON held_message, held_chunk TO sg_gateway;
GRANT SELECT, INSERT, UPDATE ON notice, message, message_recipient, trace_event TO sg_gateway;

GRANT SELECT, INSERT, UPDATE ON tenant, domain, hsm_key, certificate, job, api_token, archive_key
    TO sg_tenant;
GRANT SELECT ON submitter, next_hop, trust_anchor, directory_source, member_domain, crl,
    partner_certificate, archive_data_key, held_message, message, message_recipient TO sg_tenant;

GRANT SELECT ON tenant, domain, submitter, next_hop, hsm_key, certificate, held_message, message,
    message_recipient, trace_event, job, audit TO sg_api, sg_provider;
GRANT SELECT ON trust_anchor, directory_source, member_domain TO sg_provider;
GRANT INSERT, UPDATE ON tenant, domain TO sg_provider;
GRANT INSERT, DELETE ON submitter TO sg_provider;
GRANT INSERT, UPDATE, DELETE ON next_hop, held_chunk TO sg_provider;
GRANT INSERT ON hsm_key, job TO sg_provider;
GRANT INSERT, DELETE ON trust_anchor, directory_source, member_domain TO sg_provider;
GRANT SELECT, INSERT, UPDATE ON api_token TO sg_provider;
GRANT UPDATE (state, next_try_at, finished_at, last_error, wrapped_key) ON held_message TO sg_provider;
GRANT SELECT ON held_chunk TO sg_provider;
-- A tenant's own administrator: next hops, keys, jobs and held mail of the own tenant.
GRANT INSERT, UPDATE, DELETE ON next_hop TO sg_api;
GRANT INSERT ON hsm_key, job TO sg_api;
GRANT UPDATE (state, next_try_at, finished_at, last_error, wrapped_key) ON held_message TO sg_api;
GRANT SELECT, DELETE ON held_chunk TO sg_api;
GRANT SELECT ON audit TO sg_audit;
