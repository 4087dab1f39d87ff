-- A line for each recipient; quotes doubled (RFC 4180), and an apostrophe before what a spreadsheet would
-- take for a formula.
SELECT to_char(m.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || ' ' || m.id,
    (SELECT string_agg(array_to_string(ARRAY[m.id, m.received_at::text, m.direction,
            '"' || regexp_replace(replace(m.sender, '"', '""'), '^(?=[-=+@\t\r\n])', '''') || '"',
            '"' || regexp_replace(replace(r.recipient, '"', '""'), '^(?=[-=+@\t\r\n])', '''') || '"',
            r.outcome, r.verdict, array_to_string(r.codes, ' '), m.size_bytes::text,
            '"' || regexp_replace(replace(m.message_id, '"', '""'), '^(?=[-=+@\t\r\n])', '''') || '"'], ','), E'\r\n' ORDER BY r.recipient)
     FROM message_recipient r WHERE r.msg_id = m.id AND r.received_at = m.received_at)
FROM message m WHERE m.tenant_id = $1::text AND ($2::text = '' OR (m.received_at, m.id) >
    (coalesce(nullif(split_part($2::text, ' ', 1), ''), 'epoch')::timestamp AT TIME ZONE 'UTC', split_part($2::text, ' ', 2)))
ORDER BY m.received_at, m.id LIMIT $3::int4
