UPDATE notice_item i SET notice_id = $2::text
FROM notice n
WHERE i.notice_id = $1::text AND n.id = i.notice_id AND NOT EXISTS (
    SELECT FROM message_recipient r
    WHERE r.received_at = n.received_at AND r.msg_id = i.msg_id AND r.recipient = i.about
        AND r.outcome = 'delivered')
