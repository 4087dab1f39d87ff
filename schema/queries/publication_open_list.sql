SELECT id, tenant_id FROM certificate
WHERE published IN ('waiting', 'overdue') AND state IN ('installed', 'active')
  AND not_after > $1::timestamptz AND ($2::text IS NULL OR id > $2::text)
ORDER BY id LIMIT $3::int8
