SELECT lpad(id::text, 20, '0'), at, tenant_id, actor, address, request_id, action, object, object_id,
       before::text, after::text
FROM audit
WHERE tenant_id = $1::text
  AND ($2::timestamptz IS NULL OR (at, lpad(id::text, 20, '0') COLLATE "C") < ($2::timestamptz, $3::text))
ORDER BY at DESC, lpad(id::text, 20, '0') COLLATE "C" DESC LIMIT $4::int8
