-- Directories that are not asked anonymously: who binds, and the name of the file with his password in the
-- credentials directories of gatewayd and tenantd. The password itself is never here.
SET LOCAL search_path = sealgate;

ALTER TABLE directory_source
    ADD COLUMN credential text NOT NULL DEFAULT ''
        CHECK (credential ~ '^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$'),
    ADD CONSTRAINT directory_source_account
        CHECK (length(bind_dn) <= 300 AND (bind_dn = '') = (credential = ''));
