-- Those that have a job already are left out; its being done sets the next time. So are those whose job
-- failed for good within the last hour: no row of dead letters grows out of one fault.
SELECT o.domain_id, o.tenant_id FROM domain_ownership o
WHERE o.next_check_at <= $1::timestamptz
  AND NOT EXISTS (SELECT FROM job j WHERE j.unique_key = 'domain.check:' || o.domain_id
                  AND (j.state IN ('queued', 'running')
                       OR j.state = 'dead' AND j.finished_at > $1::timestamptz - interval '1 hour'))
ORDER BY o.next_check_at LIMIT $2::int8
