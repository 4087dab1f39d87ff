-- What failed half-way may lie on the token; what was retired long enough ago, where a time is set
-- (NULL: never).
SELECT id, tenant_id FROM hsm_key
WHERE (state = 'failed' OR (state = 'retired' AND retired_at <= $1::timestamptz))
  AND ($2::text IS NULL OR id > $2::text)
ORDER BY id LIMIT $3::int8
