SELECT h.id, h.created_at, h.tenant_id, h.words, h.created_by, h.lifted_at, h.lifted_by
FROM legal_hold h
WHERE h.tenant_id = $1::text AND ($2::timestamptz IS NULL OR (h.created_at, h.id) > ($2::timestamptz, $3::text))
ORDER BY h.created_at, h.id LIMIT $4::int8
