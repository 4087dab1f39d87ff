-- Every code of these recipients; what is only a delay (held) is never a breach.
INSERT INTO message_code (msg_id, received_at, tenant_id, recipient, recipient_domain, code, at, folded)
SELECT DISTINCT ON (r.received_at, r.msg_id, r.recipient, c.code)
       r.msg_id, r.received_at, r.tenant_id, r.recipient, r.recipient_domain, c.code, r.at,
       coalesce(v.level = 'delay', false)
FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
            $7::timestamptz[])
    AS r (msg_id, received_at, tenant_id, recipient, recipient_domain, codes, at)
CROSS JOIN unnest(string_to_array(r.codes, ',')) AS c (code)
LEFT JOIN verdict_code v ON v.code = c.code
ORDER BY r.received_at, r.msg_id, r.recipient, c.code, r.at
ON CONFLICT DO NOTHING
