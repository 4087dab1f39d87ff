INSERT INTO report_delivery (id, tenant_id, report_id, recipient, state, message_id, created_at)
VALUES ($1::text, $2::text, $3::text, lower($4::text), 'queued', $1 || '@' || $5::text, $6::timestamptz)
ON CONFLICT (report_id, recipient) DO NOTHING
