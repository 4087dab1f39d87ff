-- What waits for a certificate of ours and for nothing else is tried again at once; in portions like held_wake.
WITH portion AS (
    SELECT id FROM held_message
    WHERE domain_id = $1::text AND state = 'held' AND reason IN ('211', '212') AND last_error IN ('', explanation)
      AND next_try_at > $2::timestamptz AND id > $3::text
    ORDER BY id LIMIT $4::int4 FOR UPDATE),
woken AS (
    UPDATE held_message h SET next_try_at = $2::timestamptz FROM portion p WHERE h.id = p.id RETURNING h.id)
SELECT count(*), max(id) FROM woken
