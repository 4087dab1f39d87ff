INSERT INTO incident_note (id, incident_id, tenant_id, at, actor, action, words)
SELECT $1::text, i.id, i.tenant_id, $5::timestamptz, current_setting('app.actor'), $3::text, $4::text
FROM incident i WHERE i.id = $2::text
