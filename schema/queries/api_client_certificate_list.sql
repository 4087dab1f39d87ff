SELECT id, created_at, client_id, fingerprint, description
FROM api_client_certificate
WHERE client_id = $1::text
  AND ($2::timestamptz IS NULL OR (created_at, id) > ($2::timestamptz, $3::text))
ORDER BY created_at, id LIMIT $4::int8
