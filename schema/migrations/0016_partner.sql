-- Partners (REQ-83, 84): which of their certificates is relied on, and what their software can do.
SET LOCAL search_path = sealgate;

-- What was there before this is trusted as it was.
ALTER TABLE partner_certificate
    ADD COLUMN stored_at timestamptz NOT NULL DEFAULT '-infinity', -- when it was first met
    ADD COLUMN authority boolean NOT NULL DEFAULT false, -- a CA's, above one of the domain's
    -- The first of its domain, or somebody has approved of it, or it was added by hand: a domain
    -- that asks about changes uses no other.
    ADD COLUMN confirmed boolean NOT NULL DEFAULT true;
DROP TRIGGER audit_update ON partner_certificate;
CREATE TRIGGER audit_update AFTER UPDATE ON partner_certificate FOR EACH ROW
    WHEN (OLD.state <> NEW.state OR OLD.confirmed <> NEW.confirmed) EXECUTE FUNCTION audit_write();
CREATE TRIGGER notify_update AFTER UPDATE ON partner_certificate FOR EACH ROW
    WHEN (OLD.state <> NEW.state OR OLD.confirmed <> NEW.confirmed) EXECUTE FUNCTION config_notify();

-- Capabilities are bits (common/capability.h). Learned from a signature, and beside it what somebody
-- has set by hand, which then counts alone.
CREATE TABLE partner_capability (
    id entity_id PRIMARY KEY,
    domain dns_name NOT NULL UNIQUE,
    learned bigint NOT NULL CHECK (learned >= 0),
    signed_at timestamptz, -- the signing time of the mail that said so; NULL: nothing was learned
    origin text NOT NULL,  -- that mail
    by_hand bigint CHECK (by_hand >= 0),
    reason text NOT NULL CHECK (length(reason) <= 200), -- of what was set by hand
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL -- when what is known last became other
);
CREATE INDEX partner_capability_list ON partner_capability (created_at, id);
-- What gatewayd learns by itself is no change of configuration; what people set is.
CREATE TRIGGER audit_insert AFTER INSERT ON partner_capability FOR EACH ROW
    WHEN (NEW.by_hand IS NOT NULL) EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit_update AFTER UPDATE ON partner_capability FOR EACH ROW
    WHEN (OLD.by_hand IS DISTINCT FROM NEW.by_hand OR OLD.reason <> NEW.reason)
    EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit_delete AFTER DELETE ON partner_capability FOR EACH ROW
    EXECUTE FUNCTION audit_write();
GRANT SELECT, INSERT, UPDATE ON partner_capability TO sg_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON partner_capability TO sg_provider;
GRANT SELECT ON partner_capability TO sg_tenant;
