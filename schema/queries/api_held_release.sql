UPDATE held_message SET next_try_at = least(next_try_at, $3::timestamptz), releases = releases + 1,
    approved_at = CASE WHEN quarantined THEN coalesce(approved_at, $3::timestamptz) END
WHERE tenant_id = $1::text AND id = $2::text AND state = 'held'
RETURNING id, held_at, msg_id, tenant_id, domain_id, direction, state, reason, explanation, sender,
       recipients, recipient_domain, queue_id, size_bytes, received_at, next_try_at, expires_at,
       attempts, last_error, finished_at, quarantined, approved_at
