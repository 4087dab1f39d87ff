WITH done AS (
    UPDATE incident SET state = 'resolved', resolved_at = $3::timestamptz,
           resolved_by = current_setting('app.actor'), resolution = $4::text
    WHERE ($1::text IS NULL OR tenant_id = $1::text) AND id = $2::text AND state <> 'resolved'
    RETURNING id),
breaches AS (
    UPDATE breach b SET state = 'resolved', resolved_at = $3, resolution = $4,
           resolved_by = current_setting('app.actor')
    FROM done WHERE b.incident_id = done.id AND b.state = 'open'
    RETURNING b.id, b.tenant_id),
noted AS (
    INSERT INTO breach_note (id, breach_id, tenant_id, at, actor, action, words)
    SELECT id_new('brn'), id, tenant_id, $3, current_setting('app.actor'), 'resolved', $4 FROM breaches)
SELECT id FROM done
