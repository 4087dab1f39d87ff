-- Newest first. $1 tenant, $2 level, $3 state, $4 code, $5 class, $6 domain, $7 partner, $8 source,
-- $9 month ("2026-11-01"), $10 seen at or after.
SELECT b.id, b.first_seen, b.tenant_id, b.source, b.month::text, b.level, b.code, b.class, b.cause,
       b.domain, b.partner_domain, b.direction, b.incident_id, b.messages, b.recipients, b.samples,
       b.last_seen, b.state, b.resolved_at, b.resolved_by, b.resolution, b.reopened_at
FROM breach b
WHERE ($1::text IS NULL OR b.tenant_id = $1::text)
  AND ($2::text IS NULL OR b.level = $2::text)
  AND ($3::text IS NULL OR b.state = $3::text)
  AND ($4::text IS NULL OR b.code = $4::text)
  AND ($5::text IS NULL OR b.class = $5::text)
  AND ($6::text IS NULL OR b.domain = $6::text)
  AND ($7::text IS NULL OR b.partner_domain = $7::text)
  AND ($8::text IS NULL OR b.source = $8::text)
  AND ($9::text IS NULL OR b.month = $9::text::date)
  AND ($10::timestamptz IS NULL OR b.last_seen >= $10::timestamptz)
  AND ($11::timestamptz IS NULL OR (b.first_seen, b.id) < ($11::timestamptz, $12::text))
ORDER BY b.first_seen DESC, b.id DESC LIMIT $13::int8
