-- A second notice of the same message, for those whom it has not reached yet.
INSERT INTO notice (id, msg_id, tenant_id, domain_id, kind, recipient, original, wrapped_key, sealed_as,
    state, created_at, next_try_at, received_at)
SELECT $2::text, msg_id, tenant_id, domain_id, kind, recipient, original, wrapped_key, sealed_as,
    'open', created_at, $3::timestamptz, received_at
FROM notice WHERE id = $1::text
