-- The outbox of notices. A notice is about one message and goes to one person; whom of the message's
-- recipients it concerns, and why, are its items. While it is open further ones come to it (REQ-79);
-- then it goes out singly, or waits with others of its kind to be told of in a summary (REQ-94).
SET LOCAL search_path = sealgate;

ALTER TABLE notice
    DROP CONSTRAINT notice_kind_check,
    DROP CONSTRAINT notice_state_check,
    ADD CONSTRAINT notice_kind_check CHECK (kind IN ('failure', 'delayed', 'non-delivery', 'receipt',
        'unverified', 'system-failure', 'system-warning', 'quarantine', 'breach', 'certificate')),
    ADD CONSTRAINT notice_state_check CHECK (state IN ('open', 'pending', 'folded', 'sent', 'failed')),
    ALTER COLUMN msg_id DROP NOT NULL,          -- of a summary: NULL
    ADD COLUMN received_at timestamptz,         -- the message, here; of a summary: NULL
    ADD COLUMN sealed_as entity_id,             -- what original is bound to; of a summary: NULL
    ADD COLUMN codes text NOT NULL DEFAULT '',  -- of table 3: "201, 202"; set when it is closed
    ADD COLUMN partner text COLLATE "C" NOT NULL DEFAULT '', -- the other domain, where it is a member's
    ADD COLUMN summary_id entity_id,            -- folded: the summary that tells of it
    ADD COLUMN stands_for bigint NOT NULL DEFAULT 0, -- a summary: so many that were folded
    ADD COLUMN began_at timestamptz;            -- a summary: when its period began

CREATE TABLE notice_item (
    msg_id entity_id NOT NULL,
    kind text NOT NULL,
    recipient address NOT NULL,                 -- who is told
    about address NOT NULL,                     -- of whom, normalised: nobody is told twice
    tenant_id entity_id NOT NULL,
    notice_id entity_id NOT NULL REFERENCES notice ON DELETE CASCADE,
    address text NOT NULL,                      -- about, as it was given
    code text NOT NULL,                         -- of table 3 or ''
    status text NOT NULL,                       -- RFC 3463
    words text NOT NULL,                        -- our own, never a stranger's
    partner text COLLATE "C" NOT NULL,
    retry_at timestamptz,                       -- delayed: the next try
    created_at timestamptz NOT NULL,
    PRIMARY KEY (msg_id, kind, recipient, about)
);
CREATE INDEX notice_item_notice ON notice_item (notice_id);

-- How many notices of a kind one person got in the current period, and how many wait for its end.
CREATE TABLE notice_fold (
    domain_id entity_id NOT NULL,
    kind text NOT NULL,
    recipient address NOT NULL,
    partner text COLLATE "C" NOT NULL,
    codes text COLLATE "C" NOT NULL,
    tenant_id entity_id NOT NULL,
    summary_id entity_id NOT NULL,              -- the notice that will tell of them
    began_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    singly bigint NOT NULL,
    folded bigint NOT NULL,
    PRIMARY KEY (domain_id, kind, recipient, partner, codes)
);
CREATE UNIQUE INDEX notice_fold_summary ON notice_fold (summary_id);
CREATE INDEX notice_fold_ends ON notice_fold (ends_at);

-- What waits from before: one recipient each, with the code of what is held.
UPDATE notice n SET sealed_as = id, received_at = created_at, codes = coalesce((SELECT h.reason
    FROM held_message h WHERE h.msg_id = n.msg_id ORDER BY h.held_at LIMIT 1), '');
INSERT INTO notice_item
SELECT msg_id, kind, recipient, about, tenant_id, id, about, codes, '5.0.0', '', '', NULL, created_at
FROM notice;

ALTER TABLE notice DROP COLUMN about; -- and with it the index that made a notice unique
DROP INDEX notice_due;
CREATE INDEX notice_due ON notice (next_try_at) WHERE state IN ('open', 'pending');
CREATE UNIQUE INDEX notice_open ON notice (msg_id, kind, recipient) WHERE state = 'open';
CREATE INDEX notice_summary ON notice (summary_id, created_at, id) WHERE summary_id IS NOT NULL;
CREATE INDEX notice_tenant ON notice (tenant_id, created_at, id);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['notice_item', 'notice_fold'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY platform ON %I TO sg_owner, sg_gateway, sg_tenant, sg_provider
                        USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY own ON %I TO sg_api
                        USING (tenant_id = current_setting(''app.tenant'', true))
                        WITH CHECK (tenant_id = current_setting(''app.tenant'', true))', t);
    END LOOP;
END $$;
GRANT DELETE ON notice TO sg_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON notice_item, notice_fold TO sg_gateway;
GRANT SELECT ON notice, notice_item TO sg_api, sg_provider;
GRANT SELECT ON notice_item TO sg_tenant;
