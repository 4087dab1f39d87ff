INSERT INTO legal_hold AS h (id, tenant_id, words, created_at, created_by)
VALUES (id_new('lgh'), $1::text, $2::text, $3::timestamptz, current_setting('app.actor'))
RETURNING h.id, h.created_at, h.tenant_id, h.words, h.created_by, h.lifted_at, h.lifted_by
