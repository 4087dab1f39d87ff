-- There is a certificate for them now.
UPDATE held_message SET next_try_at = $2::timestamptz
WHERE recipient_domain = $1::text AND state = 'held' AND reason IN ('201', '202')
  AND NOT (quarantined AND approved_at IS NULL) AND next_try_at > $2::timestamptz
