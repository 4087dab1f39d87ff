-- A key of an order that was cancelled before it was made.
UPDATE hsm_key SET state = 'failed', updated_at = $2::timestamptz
WHERE id = $1::text AND state = 'pending'
