INSERT INTO job (id, tenant_id, kind, payload, state, max_attempts, run_at, created_at)
VALUES ($1::text, $2::text, $3::text, $4::text::jsonb, 'queued', $5::int4, $6::timestamptz, $6)
