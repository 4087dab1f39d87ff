INSERT INTO job (id, tenant_id, kind, payload, state, priority, max_attempts, run_at, unique_key,
                 created_at)
VALUES ($1::text, $2::text, $3::text, $4::text::jsonb, 'queued', $5::int4, $6::int4,
        $7::timestamptz, $8::text, $9::timestamptz)
ON CONFLICT (unique_key) WHERE state IN ('queued', 'running') DO NOTHING
