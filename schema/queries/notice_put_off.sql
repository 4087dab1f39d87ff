-- What is due to people of one domain, from that domain: their server keeps whoever asks it waiting.
UPDATE notice SET next_try_at = $4::timestamptz
WHERE domain_id = $1::text AND lower(split_part(recipient, '@', -1)) = lower($2::text)
  AND state = 'pending' AND next_try_at <= $3::timestamptz
