WITH due AS (
    SELECT partner FROM certificate_request
    WHERE state = 'pending' AND next_try_at <= $1::timestamptz
      AND (leased_by IN ('', $4::text)
           OR next_try_at <= $1::timestamptz - $5::int8 * interval '1 millisecond')
    ORDER BY next_try_at LIMIT $3::int4 FOR UPDATE SKIP LOCKED)
UPDATE certificate_request r
SET next_try_at = $1::timestamptz + $2::int8 * interval '1 millisecond', leased_by = $4::text
FROM due WHERE r.partner = due.partner
RETURNING r.id, r.partner, r.tenant_id, r.domain_id, r.created_at, r.attempts
