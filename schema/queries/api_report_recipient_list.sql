SELECT id, created_at, tenant_id, kind, address
FROM report_recipient
WHERE tenant_id IS NOT DISTINCT FROM $1::text
  AND ($2::timestamptz IS NULL OR (created_at, id) < ($2::timestamptz, $3::text))
ORDER BY created_at DESC, id DESC LIMIT $4::int8
