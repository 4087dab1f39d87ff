INSERT INTO contact (id, tenant_id, role, organisation, mailbox, role_mailbox, phone, review_days,
    reviewed_at, created_at, updated_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::bool, $7::text, $8::int4,
    $9::timestamptz, $9::timestamptz, $9::timestamptz)
RETURNING id, created_at, tenant_id, role, organisation, mailbox, role_mailbox, phone, review_days, reviewed_at, updated_at
