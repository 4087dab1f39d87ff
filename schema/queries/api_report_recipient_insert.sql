INSERT INTO report_recipient (id, tenant_id, kind, address, created_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::timestamptz)
RETURNING id, created_at, tenant_id, kind, address
