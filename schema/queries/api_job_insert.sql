INSERT INTO job (id, tenant_id, kind, payload, state, max_attempts, run_at, created_at)
VALUES ($1::text, $2::text, $3::text, $4::jsonb, 'queued', $5::int4, $6::timestamptz,
        $6::timestamptz)
RETURNING id, created_at, tenant_id, kind, state, attempts, max_attempts, run_at, last_error,
          result::text, finished_at
