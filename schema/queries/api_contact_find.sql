SELECT id, created_at, tenant_id, role, organisation, mailbox, role_mailbox, phone, review_days, reviewed_at, updated_at
FROM contact WHERE id = $1::text AND tenant_id IS NOT DISTINCT FROM $2::text
