-- The breach that an incident is: $1 the incident, $2 class, $3 cause, $4 now. Seen again, it is
-- the same one.
INSERT INTO breach AS b
    (id, tenant_id, source, month, level, code, class, cause, domain, partner_domain, direction,
     incident_id, messages, recipients, samples, first_seen, last_seen, state)
SELECT id_new('bre'), i.tenant_id, 'incident',
       date_trunc('month', $4::timestamptz AT TIME ZONE 'UTC')::date, 'breach', '', $2::text, $3::text,
       coalesce(d.name, ''), '', '', i.id, 0, 0, '{}', $4::timestamptz, $4::timestamptz, 'open'
FROM incident i LEFT JOIN domain d ON d.tenant_id = i.tenant_id AND d.id = i.domain_id
WHERE i.id = $1::text
ON CONFLICT (incident_id) WHERE source = 'incident'
    DO UPDATE SET last_seen = greatest(b.last_seen, excluded.last_seen)
