-- The unresolved one of a key, and its breach, with their notes; nothing where there is none.
WITH done AS (
    UPDATE incident SET state = 'resolved', resolved_at = $2::timestamptz,
           resolved_by = current_setting('app.actor'), resolution = $3::text
    WHERE dedup_key = $1::text AND state <> 'resolved'
    RETURNING id, tenant_id),
breaches AS (
    UPDATE breach b SET state = 'resolved', resolved_at = $2, resolution = $3,
           resolved_by = current_setting('app.actor')
    FROM done WHERE b.incident_id = done.id AND b.state = 'open'
    RETURNING b.id, b.tenant_id),
noted AS (
    INSERT INTO breach_note (id, breach_id, tenant_id, at, actor, action, words)
    SELECT id_new('brn'), id, tenant_id, $2, current_setting('app.actor'), 'resolved', $3 FROM breaches)
INSERT INTO incident_note (id, incident_id, tenant_id, at, actor, action, words)
SELECT id_new('inn'), id, tenant_id, $2, current_setting('app.actor'), 'resolved', $3 FROM done
