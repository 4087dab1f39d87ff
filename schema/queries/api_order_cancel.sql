-- From whichever state it is in while it is open, as order.h has it.
UPDATE certificate_order
SET state = 'cancelled', cause = $4::text, explanation = '', next_at = NULL,
    finished_at = $5::timestamptz, updated_at = $5::timestamptz
WHERE tenant_id = $1::text AND domain_id = $2::text AND finished_at IS NULL
  AND ($3::text IS NULL OR id = $3::text)
RETURNING key_id
