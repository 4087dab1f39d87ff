-- Of the whole platform; $1 is the time. A figure's label is '' where it has none.
SELECT 'jobs', state, count(*) FROM job WHERE state IN ('queued', 'running', 'dead') GROUP BY state
UNION ALL
SELECT 'job_waiting_ms', '', coalesce(extract(epoch FROM $1::timestamptz - min(run_at)) * 1000, 0)::int8
FROM job WHERE state = 'queued' AND run_at <= $1::timestamptz
UNION ALL
SELECT 'domains', state, count(*) FROM domain GROUP BY state
UNION ALL
SELECT 'tenants', state, count(*) FROM tenant GROUP BY state
UNION ALL
SELECT 'certificates',
       CASE WHEN c.until <= $1 THEN 'expired'
            WHEN c.until <= $1 + interval '7 days' THEN '7'
            WHEN c.until <= $1 + interval '30 days' THEN '30'
            WHEN c.until <= $1 + interval '60 days' THEN '60'
            WHEN c.until IS NOT NULL THEN 'more'
            WHEN EXISTS (SELECT FROM certificate gone WHERE gone.domain_id = d.id) THEN 'expired' ELSE 'none' END, count(*)
FROM domain d JOIN tenant t ON t.id = d.tenant_id
LEFT JOIN (SELECT domain_id, max(not_after) AS until FROM certificate WHERE state IN ('active', 'installed')
           GROUP BY domain_id) c ON c.domain_id = d.id
WHERE d.state IN ('attested', 'verified') AND t.state = 'active' GROUP BY 2
UNION ALL
SELECT 'held', reason, count(*) FROM held_message WHERE state = 'held' GROUP BY reason
UNION ALL
SELECT 'held_oldest_ms', '', coalesce(extract(epoch FROM $1 - min(held_at)) * 1000, 0)::int8
FROM held_message WHERE state = 'held'
UNION ALL
SELECT 'incidents', severity, count(*) FROM incident WHERE state <> 'resolved' GROUP BY severity
UNION ALL
SELECT 'list_read_ms', name, coalesce(extract(epoch FROM read_at) * 1000, 0)::int8 FROM member_list
UNION ALL
SELECT 'list_members', name, members FROM member_list
UNION ALL
SELECT 'list_changes_waiting', '', count(*) FROM list_change WHERE state = 'pending'
UNION ALL
SELECT 'sources_failing', '', count(*) FROM directory_source_state WHERE last_error <> ''
