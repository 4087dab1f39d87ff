SELECT lpad(id::text, 20, '0'), at, tenant_id, actor, address, request_id, action, object, object_id,
       before::text, after::text
FROM audit
WHERE tenant_id = $1::text
  AND ($2::timestamptz IS NULL OR (at, lpad(id::text, 20, '0') COLLATE "C") < ($2::timestamptz, $3::text))
  AND ($5::text IS NULL OR actor = $5::text OR split_part(split_part(actor, ' ', 1), ':', 2) = $5::text)
  AND ($6::text IS NULL OR object = $6::text)
  AND ($7::text IS NULL OR object_id = $7::text)
  AND ($8::timestamptz IS NULL OR at >= $8::timestamptz)
  AND ($9::timestamptz IS NULL OR at < $9::timestamptz)
ORDER BY at DESC, lpad(id::text, 20, '0') COLLATE "C" DESC LIMIT $4::int8
