SELECT b.id, b.first_seen, b.tenant_id, b.source, b.month::text, b.level, b.code, b.class, b.cause,
       b.domain, b.partner_domain, b.direction, b.incident_id, b.messages, b.recipients, b.samples,
       b.last_seen, b.state, b.resolved_at, b.resolved_by, b.resolution, b.reopened_at
FROM breach b WHERE ($1::text IS NULL OR b.tenant_id = $1::text) AND b.id = $2::text
