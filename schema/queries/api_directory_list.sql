SELECT s.id, s.created_at, s.url, s.base_dn, s.ca_pem, s.position, t.succeeded_at, t.failed_at,
       coalesce(t.last_error, ''), coalesce(t.failures, 0), t.retry_at, s.anchor_id, s.filter,
       s.attribute, s.bind_dn, s.credential
FROM directory_source s LEFT JOIN directory_source_state t ON t.source_id = s.id
WHERE $1::timestamptz IS NULL OR (s.created_at, s.id) > ($1::timestamptz, $2::text)
ORDER BY s.created_at, s.id LIMIT $3::int8
