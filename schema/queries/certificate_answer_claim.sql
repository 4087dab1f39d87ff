INSERT INTO certificate_answer AS a (domain_id, partner, tenant_id, answered_at, signed_at)
VALUES ($1::text, $2::text, $3::text, $4::timestamptz, $5::timestamptz)
ON CONFLICT (domain_id, partner) DO UPDATE
    SET answered_at = excluded.answered_at, signed_at = excluded.signed_at
WHERE a.answered_at <= $6::timestamptz AND a.signed_at < excluded.signed_at
