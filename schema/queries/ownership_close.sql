UPDATE domain_ownership
SET next_check_at = NULL, missing_since = NULL, suspend_at = NULL, deadline_at = NULL
WHERE domain_id = $1::text AND $2::timestamptz IS NOT NULL
