-- The last try is at expires_at, which finds out that it is over. What was released since this attempt took it stays due.
UPDATE held_message
SET next_try_at = CASE WHEN releases <> $6::int4 THEN next_try_at
                       WHEN expires_at > current_setting('app.now')::timestamptz THEN least($2::timestamptz, expires_at)
                       ELSE $2::timestamptz END,
    leased_until = NULL,
    reason = $3::text, explanation = $4::text, last_error = $5::text, attempts = attempts + 1
WHERE id = $1::text AND state = 'held'
