SELECT id, created_at, tenant_id, kind, state, attempts, max_attempts, run_at, last_error,
          result::text, finished_at
FROM job WHERE tenant_id = $1::text AND id = $2::text
