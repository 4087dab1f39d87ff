-- What only a root of one domain of ours vouches for (REQ-180) is in the store for that domain alone: others' first
-- certificate of a partner (REQ-83) is not decided by it, nor do its rows crowd theirs out.
SET LOCAL search_path = sealgate;

ALTER TABLE partner_certificate
    ADD COLUMN relying_id entity_id REFERENCES domain (id) ON DELETE CASCADE, -- NULL: for all
    DROP CONSTRAINT partner_certificate_pkey,
    ADD CONSTRAINT partner_certificate_once UNIQUE NULLS NOT DISTINCT (sha256, domain, relying_id);
CREATE INDEX partner_certificate_relying ON partner_certificate (relying_id) WHERE relying_id IS NOT NULL;
