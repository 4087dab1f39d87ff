-- secure: the recipient's domain is of Secure Email, or hosted here; the gateway seals what goes there, or
-- holds it.
SELECT d.id, d.recipient, d.state, d.message_id, d.attempts, d.sent_at,
       EXISTS (SELECT FROM member_domain m WHERE m.name = split_part(d.recipient, '@', 2)
                 AND m.environment IN ('seemail', 'securemail'))
       OR EXISTS (SELECT FROM domain h WHERE h.name = split_part(d.recipient, '@', 2)
                    AND h.state IN ('attested', 'verified'))
FROM report_delivery d WHERE d.report_id = $1::text ORDER BY d.created_at, d.id
