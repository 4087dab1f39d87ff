INSERT INTO notice
    (id, msg_id, tenant_id, domain_id, kind, recipient, about, original, wrapped_key, state, created_at,
     next_try_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::bytea,
        $9::bytea, 'pending', $10::timestamptz, $11::timestamptz)
ON CONFLICT (msg_id, kind, recipient, about) DO NOTHING
