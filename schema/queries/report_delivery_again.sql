-- What failed more than six hours ago is tried again, for a week; not what went out unsealed, and not what goes
-- to nobody any more: these want a person.
WITH again AS (
    UPDATE report_delivery SET state = 'queued', finished_at = NULL
    WHERE state = 'failed' AND finished_at < $1::timestamptz - interval '6 hours'
      AND created_at > $1::timestamptz - interval '7 days'
      AND last_error NOT IN ('it went out, and not sealed', 'is no recipient any more')
    RETURNING report_id, tenant_id
)
SELECT DISTINCT report_id, tenant_id FROM again
