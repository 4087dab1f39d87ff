-- The try is counted before it is made: one that its worker does not survive counts too.
WITH due AS (
    SELECT id FROM notice
    WHERE state = 'pending' AND next_try_at <= $1::timestamptz
      AND (leased_by IN ('', $4::text)
           OR next_try_at <= $1::timestamptz - $5::int8 * interval '1 millisecond')
    ORDER BY next_try_at, attempts LIMIT $3::int4 FOR UPDATE SKIP LOCKED)
UPDATE notice n
SET next_try_at = $1::timestamptz + $2::int8 * interval '1 millisecond', leased_by = $4::text,
    attempts = n.attempts + 1
FROM due WHERE n.id = due.id
RETURNING n.id, coalesce(n.msg_id, ''), n.tenant_id, n.domain_id, n.kind, n.recipient, n.codes,
    n.original, n.wrapped_key, n.sealed_as, n.created_at, n.received_at, n.stands_for, n.began_at,
    n.attempts
