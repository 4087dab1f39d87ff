-- $1 NULL: of whatever tenant, and the platform's own.
SELECT i.id, i.first_seen, i.tenant_id, i.domain_id, i.kind, i.severity, i.state, i.summary,
       i.detail::text, i.occurrences, i.last_seen, i.acknowledged_at, i.acknowledged_by,
       i.resolved_at, i.resolved_by, i.resolution
FROM incident i WHERE ($1::text IS NULL OR i.tenant_id = $1::text) AND i.id = $2::text
