-- $10: no second either where one of the key has ended and is still kept.
INSERT INTO job (id, tenant_id, kind, payload, state, priority, max_attempts, run_at, unique_key,
                 created_at)
SELECT $1::text, $2::text, $3::text, $4::text::jsonb, 'queued', $5::int4, $6::int4,
       $7::timestamptz, $8::text, $9::timestamptz
WHERE NOT $10::bool OR NOT EXISTS (SELECT FROM job WHERE unique_key = $8::text)
ON CONFLICT (unique_key) WHERE state IN ('queued', 'running') DO NOTHING
