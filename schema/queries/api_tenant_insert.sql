-- Pending where the platform wants its required documents acknowledged first (REQ-157).
INSERT INTO tenant (id, name, state, external_ref, created_at, updated_at)
SELECT $1::text, $2::text,
    CASE WHEN EXISTS (SELECT FROM policy WHERE tenant_id IS NULL
                      AND (settings->>'require_acknowledgements')::bool)
          AND EXISTS (SELECT FROM document WHERE required AND withdrawn_at IS NULL
                      AND valid_from <= $4::timestamptz)
         THEN 'pending' ELSE 'active' END,
    $3::text, $4::timestamptz, $4::timestamptz
RETURNING id, created_at, name, state, external_ref, state_reason, cancelled_at, ends_at, closed_at, updated_at
