-- Newest first. $1 tenant, $2 state, $3 kind, $4 severity, $5 seen at or after, $6 domain.
SELECT i.id, i.first_seen, i.tenant_id, i.domain_id, i.kind, i.severity, i.state, i.summary,
       i.detail::text, i.occurrences, i.last_seen, i.acknowledged_at, i.acknowledged_by,
       i.resolved_at, i.resolved_by, i.resolution
FROM incident i
WHERE ($1::text IS NULL OR i.tenant_id = $1::text)
  AND ($2::text IS NULL OR i.state = $2::text)
  AND ($3::text IS NULL OR i.kind = $3::text)
  AND ($4::text IS NULL OR i.severity = $4::text)
  AND ($5::timestamptz IS NULL OR i.last_seen >= $5::timestamptz)
  AND ($6::text IS NULL OR i.domain_id = $6::text)
  AND ($7::timestamptz IS NULL OR (i.first_seen, i.id) < ($7::timestamptz, $8::text))
ORDER BY i.first_seen DESC, i.id DESC LIMIT $9::int8
