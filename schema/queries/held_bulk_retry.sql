-- "release" is an administrator's word for what is in quarantine; "retry" leaves that there.
UPDATE held_message SET next_try_at = least(next_try_at, $2::timestamptz), releases = releases + 1,
    attempts = CASE WHEN $3::bool THEN 0 ELSE attempts END,
    approved_at = CASE WHEN quarantined AND NOT $3::bool
                       THEN coalesce(approved_at, $2::timestamptz) ELSE approved_at END
WHERE tenant_id = $1::text AND id = ANY($4::text[]) AND state = 'held'
  AND NOT ($3::bool AND quarantined AND approved_at IS NULL)
