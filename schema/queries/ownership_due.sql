-- Those that have a job already are left out; its being done sets the next time.
SELECT o.domain_id, o.tenant_id FROM domain_ownership o
WHERE o.next_check_at <= $1::timestamptz
  AND NOT EXISTS (SELECT FROM job j WHERE j.unique_key = 'domain.check:' || o.domain_id
                  AND j.state IN ('queued', 'running'))
ORDER BY o.next_check_at LIMIT $2::int8
