-- $1 id, $2 tenant, $3 domain, $4 kind, $5 severity, $6 summary, $7 detail, $8 key, $9 now
INSERT INTO incident AS i
    (id, tenant_id, domain_id, kind, severity, state, summary, detail, dedup_key, occurrences,
     first_seen, last_seen)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, 'open', $6::text, $7::text::jsonb,
        $8::text, 1, $9::timestamptz, $9)
ON CONFLICT (dedup_key) WHERE state <> 'resolved' DO UPDATE
    SET occurrences = i.occurrences + 1, last_seen = greatest(i.last_seen, excluded.last_seen),
        summary = excluded.summary, detail = excluded.detail,
        severity = CASE WHEN 'critical' IN (i.severity, excluded.severity) THEN 'critical'
                        WHEN 'warning' IN (i.severity, excluded.severity) THEN 'warning'
                        ELSE 'info' END
RETURNING id
