-- There is a certificate for them now, as discovery has found: a portion of what waits for nothing else (it may have
-- failed for another reason since, and then has its own pause), from behind $4 on.
WITH portion AS (
    SELECT id FROM held_message
    WHERE recipient_domain = $1::text AND domain_id = ANY($2::text[]) AND state = 'held'
      AND reason IN ('201', '202') AND last_error IN ('', explanation)
      AND NOT (quarantined AND approved_at IS NULL) AND next_try_at > $3::timestamptz AND id > $4::text
    ORDER BY id LIMIT $5::int4 FOR UPDATE),
woken AS (
    UPDATE held_message h SET next_try_at = $3::timestamptz FROM portion p WHERE h.id = p.id RETURNING h.id)
SELECT count(*), max(id) FROM woken
