SELECT d.id, d.at, d.class, d.tenant_id, d.method, d.relation, d.rows, d.oldest, d.newest, d.cutoff, d.policy, d.actor
FROM disposal d
WHERE ($1::text IS NULL OR d.tenant_id = $1::text) AND ($2::text IS NULL OR d.class = $2::text)
  AND ($3::timestamptz IS NULL OR (d.at, d.id) < ($3::timestamptz, $4::text))
ORDER BY d.at DESC, d.id DESC LIMIT $5::int8
