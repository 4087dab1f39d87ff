SELECT to_char(m.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || ' ' || m.id,
    (to_jsonb(m) - '{archive_ref,node}'::text[] || jsonb_build_object('recipients',
        (SELECT jsonb_agg(to_jsonb(r) - '{msg_id,tenant_id,received_at}'::text[] ORDER BY r.recipient)
         FROM message_recipient r WHERE r.msg_id = m.id AND r.received_at = m.received_at)))::text
FROM message m WHERE m.tenant_id = $1::text AND ($2::text = '' OR (m.received_at, m.id) >
    (coalesce(nullif(split_part($2::text, ' ', 1), ''), 'epoch')::timestamp AT TIME ZONE 'UTC', split_part($2::text, ' ', 2)))
ORDER BY m.received_at, m.id LIMIT $3::int4
