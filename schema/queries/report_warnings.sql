-- What was seen and is no breach: certificates that want care, by code and partner.
SELECT coalesce(jsonb_agg(jsonb_build_array(cause, code, domain, partner, direction, messages, recipients,
           to_char(first_seen AT TIME ZONE $4::text, 'YYYY-MM-DD HH24:MI'),
           to_char(last_seen AT TIME ZONE $4::text, 'YYYY-MM-DD HH24:MI'))
       ORDER BY first_seen, domain COLLATE "C", code COLLATE "C", partner COLLATE "C", direction), '[]')::text
FROM (SELECT domain, code, partner, direction, min(cause) AS cause, count(DISTINCT msg_id) AS messages,
             count(*) AS recipients, min(at) AS first_seen, max(at) AS last_seen
      FROM breach_event
      WHERE at >= $2::timestamptz AND at < $3::timestamptz AND level = 'warning'
        AND received_at >= $2::timestamptz - interval '70 days' AND received_at < $3::timestamptz
        AND ($1::text IS NULL OR tenant_id = $1::text)
      GROUP BY tenant_id, domain, code, partner, direction) AS e
