INSERT INTO trace_event
    (record_id, msg_id, received_at, tenant_id, at, seq, step, requirement, detail)
SELECT record_id, msg_id, received_at, tenant_id, at, seq, step, requirement, detail::jsonb
FROM unnest($1::bytea[], $2::text[], $3::timestamptz[], $4::text[], $5::timestamptz[], $6::int8[],
            $7::text[], $8::text[], $9::text[])
    AS e (record_id, msg_id, received_at, tenant_id, at, seq, step, requirement, detail)
ON CONFLICT (received_at, msg_id, record_id, seq) DO NOTHING
