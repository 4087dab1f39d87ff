-- Receipts, and what became of those whom they are about: the retention log knows.
SELECT n.id, n.created_at, k.waiting, k.delivered
FROM notice n CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE coalesce(r.outcome, '') IN ('', 'received', 'deferred'))::int8 AS waiting,
        count(*) FILTER (WHERE r.outcome = 'delivered')::int8 AS delivered
    FROM notice_item i LEFT JOIN message_recipient r
        ON r.received_at = n.received_at AND r.msg_id = i.msg_id AND r.recipient = i.about
    WHERE i.notice_id = n.id) AS k
WHERE n.state = 'open' AND n.kind = 'receipt' AND n.next_try_at <= $1::timestamptz
ORDER BY n.next_try_at LIMIT $2::int4 FOR UPDATE OF n SKIP LOCKED
