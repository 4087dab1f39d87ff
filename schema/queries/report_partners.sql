-- The domains with most mail, both ways, by the recipients it had; the first 20.
SELECT coalesce(jsonb_agg(jsonb_build_array(partner, sent, sealed, received, verified)
                          ORDER BY sent + received DESC, partner COLLATE "C"), '[]')::text
FROM (SELECT CASE m.direction WHEN 'outbound' THEN r.recipient_domain ELSE m.sender_domain END AS partner,
             count(*) FILTER (WHERE m.direction = 'outbound') AS sent,
             count(*) FILTER (WHERE m.direction = 'outbound' AND r.verdict = 'sealed') AS sealed,
             count(*) FILTER (WHERE m.direction = 'inbound') AS received,
             count(*) FILTER (WHERE m.direction = 'inbound' AND r.verdict = 'verified') AS verified,
             min($4::text)
      FROM message m JOIN message_recipient r ON r.received_at = m.received_at AND r.msg_id = m.id
      WHERE m.received_at >= $2::timestamptz AND m.received_at < $3::timestamptz
        AND r.received_at >= $2::timestamptz AND r.received_at < $3::timestamptz AND r.outcome = 'delivered'
        AND CASE m.direction WHEN 'outbound' THEN r.recipient_domain ELSE m.sender_domain END <> ''
        AND ($1::text IS NULL OR m.tenant_id = $1::text)
      GROUP BY 1
      ORDER BY count(*) DESC, 1 LIMIT 20) AS counted
