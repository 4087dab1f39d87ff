-- Jobs: priorities, unique keys, dead letters, cancelling, and schedules. One tenant's many jobs do
-- not keep another's waiting: a worker takes the tenants of a priority in turn (job_claim.sql).
SET LOCAL search_path = sealgate;

ALTER TABLE job
    ADD COLUMN priority integer NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 9), -- 0 is first
    ADD COLUMN unique_key text COLLATE "C" CHECK (length(unique_key) BETWEEN 1 AND 300),
    -- asked for by the API: a job at work is not tried again, a waiting one is not done
    ADD COLUMN cancel boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT job_state_check;
UPDATE job SET state = 'dead' WHERE state = 'failed';
-- dead: failed for good, until somebody retries or cancels it.
ALTER TABLE job ADD CONSTRAINT job_state_check
    CHECK (state IN ('queued', 'running', 'done', 'dead', 'cancelled'));

-- While one of this key waits or is at work there is no second.
CREATE UNIQUE INDEX job_unique ON job (unique_key) WHERE state IN ('queued', 'running');
CREATE INDEX job_unique_any ON job (unique_key) WHERE unique_key IS NOT NULL;
-- '-' is the platform.
CREATE INDEX job_queue ON job (priority, (coalesce(tenant_id::text, '-') COLLATE "C"), run_at)
    WHERE state = 'queued';
CREATE INDEX job_created ON job (created_at, id);
CREATE INDEX job_finished ON job (finished_at) WHERE state IN ('done', 'dead', 'cancelled');

-- What a person does to a job; a worker's steps make no row.
CREATE TRIGGER audit_update AFTER UPDATE ON job FOR EACH ROW
    WHEN (OLD.state IN ('queued', 'dead') AND NEW.state IN ('queued', 'cancelled')
          OR NEW.cancel AND NOT OLD.cancel)
    EXECUTE FUNCTION audit_write();

-- When a kind of recurring job was last asked for: each period once, however many tenantd run.
CREATE TABLE job_schedule (
    kind text COLLATE "C" PRIMARY KEY,
    period timestamptz NOT NULL, -- the begin of the period
    job_id text COLLATE "C" NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON job_schedule TO sg_tenant;
GRANT DELETE ON job TO sg_tenant;
GRANT UPDATE (state, run_at, attempts, cancel, finished_at, last_error) ON job TO sg_api, sg_provider;
