UPDATE held_message
SET quarantined = true, approved_at = NULL, next_try_at = expires_at, leased_until = NULL,
    reason = $2::text, explanation = $3::text, attempts = attempts + 1
WHERE id = $1::text AND state = 'held'
