-- What waits for a certificate of ours is tried again at once.
UPDATE held_message SET next_try_at = $2::timestamptz
WHERE domain_id = $1::text AND state = 'held' AND reason IN ('211', '212')
  AND next_try_at > $2::timestamptz
