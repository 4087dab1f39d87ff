INSERT INTO certificate_answer AS a (domain_id, partner, tenant_id, answered_at)
VALUES ($1::text, $2::text, $3::text, $4::timestamptz)
ON CONFLICT (domain_id, partner) DO UPDATE SET answered_at = excluded.answered_at
WHERE a.answered_at <= $5::timestamptz
