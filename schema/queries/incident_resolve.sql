-- The unresolved one of a key, with its note; nothing where there is none.
WITH done AS (
    UPDATE incident SET state = 'resolved', resolved_at = $2::timestamptz,
           resolved_by = current_setting('app.actor'), resolution = $3::text
    WHERE dedup_key = $1::text AND state <> 'resolved'
    RETURNING id, tenant_id)
INSERT INTO incident_note (id, incident_id, tenant_id, at, actor, action, words)
SELECT $4::text, id, tenant_id, $2, current_setting('app.actor'), 'resolved', $3 FROM done
