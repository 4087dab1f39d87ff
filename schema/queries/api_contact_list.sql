SELECT id, created_at, tenant_id, role, organisation, mailbox, role_mailbox, phone, review_days, reviewed_at, updated_at
FROM contact
WHERE tenant_id IS NOT DISTINCT FROM $1::text AND ($2::text IS NULL OR role = $2::text)
  AND (NOT $3::bool OR reviewed_at + review_days * interval '1 day' <= $4::timestamptz)
  AND ($5::timestamptz IS NULL OR (created_at, id) > ($5::timestamptz, $6::text))
ORDER BY created_at, id LIMIT $7::int8
