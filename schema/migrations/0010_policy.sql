-- Quarantine (REQ-110): mail that an administrator has to look at before it is tried at all.
SET LOCAL search_path = sealgate;

ALTER TABLE held_message
    ADD COLUMN quarantined boolean NOT NULL DEFAULT false,
    ADD COLUMN approved_at timestamptz; -- by an administrator; it is then tried by the other rules
GRANT UPDATE (approved_at) ON held_message TO sg_api, sg_provider, sg_tenant;
