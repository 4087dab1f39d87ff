-- Whom the message will not reach any more has another notice, if any.
DELETE FROM notice_item i USING notice n, message_recipient r
WHERE i.notice_id = $1::text AND n.id = i.notice_id AND r.received_at = n.received_at
    AND r.msg_id = i.msg_id AND r.recipient = i.about
    AND r.outcome NOT IN ('received', 'deferred', 'delivered')
