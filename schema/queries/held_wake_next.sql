-- Of a partner of whom a certificate came, or was approved, the next portion of what waits for one, whatever it failed
-- for last. With the last portion the request is done.
WITH ask AS MATERIALIZED (
    SELECT seq, partner, after FROM held_wake ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED),
portion AS (
    SELECT h.id FROM ask JOIN held_message h ON h.recipient_domain = ask.partner
    WHERE h.state = 'held' AND h.reason IN ('201', '202') AND NOT (h.quarantined AND h.approved_at IS NULL)
      AND h.next_try_at > $1::timestamptz AND h.id > ask.after
    ORDER BY h.id LIMIT $2::int4 FOR UPDATE OF h),
woken AS (
    UPDATE held_message h SET next_try_at = $1::timestamptz FROM portion p WHERE h.id = p.id RETURNING h.id),
done AS (
    DELETE FROM held_wake w USING ask WHERE w.seq = ask.seq AND (SELECT count(*) FROM woken) < $2::int4),
moved AS (
    UPDATE held_wake w SET after = (SELECT max(id) FROM woken) FROM ask
    WHERE w.seq = ask.seq AND (SELECT count(*) FROM woken) = $2::int4)
SELECT count(*) > 0 FROM ask
