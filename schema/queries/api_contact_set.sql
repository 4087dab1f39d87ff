UPDATE contact SET role = $3::text, organisation = $4::text, mailbox = $5::text, role_mailbox = $6::bool,
    phone = $7::text, review_days = $8::int4, reviewed_at = $9::timestamptz, updated_at = $9::timestamptz
WHERE id = $1::text AND tenant_id IS NOT DISTINCT FROM $2::text
RETURNING id, created_at, tenant_id, role, organisation, mailbox, role_mailbox, phone, review_days, reviewed_at, updated_at
