-- The lists of members that the directories publish (REQ-55, 108, 190), and what becomes of their
-- changes. A member stands in member_domain once for each list, and once more where somebody set
-- it by hand: what is set by hand stays, whatever the directory says.
SET LOCAL search_path = sealgate;

-- environment: that of mail (seemail, securemail), or the kind of another list.
ALTER TABLE member_domain DROP CONSTRAINT member_domain_environment_check;
ALTER TABLE member_domain ADD CONSTRAINT member_domain_environment_check CHECK (environment IN
    ('seemail', 'securemail', 'workspace', 'seemail-test', 'securemail-test'));
ALTER TABLE member_domain ADD COLUMN source text NOT NULL DEFAULT 'manual'
    CHECK (source IN ('manual', 'directory'));
ALTER TABLE member_domain DROP CONSTRAINT member_domain_name_environment_key;
ALTER TABLE member_domain ADD CONSTRAINT member_domain_name_environment_key
    UNIQUE (name, environment, source);
CREATE INDEX member_domain_listed ON member_domain (environment, name) WHERE source = 'directory';
-- Of what the directory says, list_change keeps the account: ten thousand members are one change.
DROP TRIGGER audit ON member_domain;
CREATE TRIGGER audit_insert AFTER INSERT ON member_domain FOR EACH ROW
    WHEN (NEW.source = 'manual') EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit_update AFTER UPDATE ON member_domain FOR EACH ROW
    WHEN (NEW.source = 'manual' OR OLD.source = 'manual') EXECUTE FUNCTION audit_write();
CREATE TRIGGER audit_delete AFTER DELETE ON member_domain FOR EACH ROW
    WHEN (OLD.source = 'manual') EXECUTE FUNCTION audit_write();

-- How the last reading of a source went. No configuration: nobody caches it.
CREATE TABLE directory_source_state (
    source_id entity_id PRIMARY KEY REFERENCES directory_source ON DELETE CASCADE,
    succeeded_at timestamptz,
    failed_at timestamptz,
    last_error text NOT NULL DEFAULT '', -- '': the last reading succeeded
    failures integer NOT NULL DEFAULT 0, -- in a row
    retry_at timestamptz                 -- not before, unless no other source answers
);

CREATE TABLE member_list (
    id entity_id PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE, -- its common name in the directory
    environment text NOT NULL UNIQUE,
    -- As it is in force.
    version text NOT NULL DEFAULT '',
    members integer NOT NULL DEFAULT 0,
    changed_at timestamptz,
    -- As it was read.
    read_at timestamptz,
    read_version text NOT NULL DEFAULT '',
    read_members integer NOT NULL DEFAULT 0,
    skipped integer NOT NULL DEFAULT 0,  -- malformed members
    source_url text NOT NULL DEFAULT '',
    failed_at timestamptz,
    last_error text NOT NULL DEFAULT '', -- '': the last reading succeeded
    next_at timestamptz                  -- when it is read next
);
INSERT INTO member_list (id, name, environment) VALUES
    ('lst_00000000000000000000000001', 'SEEMAIL2', 'seemail'),
    ('lst_00000000000000000000000002', 'SECUREMAIL1', 'securemail'),
    ('lst_00000000000000000000000003', 'WORKSPACE', 'workspace'),
    ('lst_00000000000000000000000004', 'SEEMAIL2TEST', 'seemail-test'),
    ('lst_00000000000000000000000005', 'SECUREMAIL1TEST', 'securemail-test');

-- A change of a list: made at once, or waiting for somebody's word.
CREATE TABLE list_change (
    id entity_id PRIMARY KEY,
    list_id entity_id NOT NULL REFERENCES member_list,
    state text NOT NULL CHECK (state IN ('pending', 'applied', 'refused', 'superseded')),
    reason text NOT NULL CHECK (reason IN ('', 'shrunk', 'emptied', 'older', 'approval')),
    version text NOT NULL,
    source_url text NOT NULL,
    members_before integer NOT NULL,
    members_after integer NOT NULL,
    added integer NOT NULL,
    removed integer NOT NULL,
    digest text COLLATE "C" NOT NULL, -- SHA-256 of the members as they were read
    created_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text NOT NULL DEFAULT '' -- '': by itself
);
CREATE UNIQUE INDEX list_change_pending ON list_change (list_id) WHERE state = 'pending';
CREATE INDEX list_change_list ON list_change (list_id, created_at);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON list_change
    FOR EACH ROW EXECUTE FUNCTION audit_write();

CREATE TABLE list_change_item (
    change_id entity_id NOT NULL REFERENCES list_change ON DELETE CASCADE,
    name dns_name NOT NULL,
    added boolean NOT NULL, -- else removed
    PRIMARY KEY (change_id, name)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON directory_source_state TO sg_tenant;
GRANT INSERT, DELETE ON member_domain TO sg_tenant;
GRANT SELECT, UPDATE ON member_list TO sg_tenant, sg_provider;
GRANT SELECT, INSERT, UPDATE ON list_change TO sg_tenant;
GRANT SELECT, INSERT ON list_change_item TO sg_tenant;
GRANT SELECT ON member_list TO sg_gateway;
GRANT SELECT ON directory_source_state, list_change, list_change_item TO sg_provider;
GRANT UPDATE (state, decided_at, decided_by) ON list_change TO sg_provider;
