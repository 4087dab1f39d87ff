-- Of a receipt with the time when the recipient's server took the message.
SELECT i.address, i.code, i.status, i.words, i.retry_at, r.outcome_at
FROM notice_item i JOIN notice n ON n.id = i.notice_id
LEFT JOIN message_recipient r ON n.kind = 'receipt' AND r.received_at = n.received_at
    AND r.msg_id = i.msg_id AND r.recipient = i.about AND r.outcome = 'delivered'
WHERE i.notice_id = $1::text ORDER BY i.about
