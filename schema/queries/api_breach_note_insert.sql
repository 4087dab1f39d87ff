INSERT INTO breach_note (id, breach_id, tenant_id, at, actor, action, words)
SELECT id_new('brn'), b.id, b.tenant_id, $4::timestamptz, current_setting('app.actor'), $2::text, $3::text
FROM breach b WHERE b.id = $1::text
