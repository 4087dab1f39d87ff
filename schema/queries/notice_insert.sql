INSERT INTO notice
    (id, msg_id, tenant_id, domain_id, kind, recipient, original, wrapped_key, state, created_at,
     next_try_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bytea, $8::bytea,
        'pending', $9::timestamptz, $10::timestamptz)
ON CONFLICT (msg_id, kind, recipient) DO NOTHING
