INSERT INTO held_message
    (id, msg_id, tenant_id, domain_id, direction, state, reason, explanation, sender, recipients,
     recipient_domain, queue_id, size_bytes, wrapped_key, received_at, held_at, next_try_at,
     expires_at, quarantined)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, 'held', $6::text, $7::text, $8::text,
        $9::text[], $10::text, $11::text, $12::int8, $13::bytea, $14::timestamptz,
        $15::timestamptz, $16::timestamptz, $17::timestamptz, $18::bool)
ON CONFLICT (msg_id, recipient_domain) WHERE state = 'held' DO NOTHING
