-- What is in force for a tenant, and whether it was acknowledged; $3: what is outstanding alone.
SELECT d.id, d.created_at, d.kind, d.title, d.version, d.url, d.sha256, d.required, d.valid_from, d.withdrawn_at, coalesce(a.id, ''), '',
       a.created_at, a.role
FROM document d LEFT JOIN acknowledgement a ON a.document_id = d.id AND a.tenant_id = $1::text
WHERE d.withdrawn_at IS NULL AND d.valid_from <= $2::timestamptz
  AND (NOT $3::bool OR (a.id IS NULL AND d.required))
  AND ($4::timestamptz IS NULL OR (d.created_at, d.id) > ($4::timestamptz, $5::text))
ORDER BY d.created_at, d.id LIMIT $6::int8
