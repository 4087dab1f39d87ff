-- The lease is a column of its own: it may be released while an attempt runs, which shows in `releases`.
WITH due AS (
    SELECT id FROM held_message
    WHERE state = 'held' AND next_try_at <= $1::timestamptz
      AND (leased_until IS NULL OR leased_until <= $1::timestamptz
           - CASE WHEN leased_by = $4::text THEN 0 ELSE $5::int8 END * interval '1 millisecond')
      AND (NOT quarantined OR approved_at IS NOT NULL OR expires_at <= $1::timestamptz)
    ORDER BY next_try_at LIMIT $3::int4 FOR UPDATE SKIP LOCKED)
UPDATE held_message h
SET leased_until = $1::timestamptz + $2::int8 * interval '1 millisecond', leased_by = $4::text
FROM due WHERE h.id = due.id
RETURNING h.id, h.msg_id, h.tenant_id, h.domain_id, h.direction, h.reason, h.explanation, h.sender,
    h.recipients, h.recipient_domain, h.queue_id, h.size_bytes, h.wrapped_key, h.received_at,
    h.held_at, h.next_try_at, h.expires_at, h.attempts,
    h.quarantined, h.approved_at, h.releases
