UPDATE certificate_compromise
SET state = $2::text, waits_for = $3::text, order_id = $4::text, certificate_id = $5::text,
    ordered_at = $6::timestamptz, installed_at = $7::timestamptz, released_at = $8::timestamptz,
    revoked_at = $9::timestamptz, published_at = $10::timestamptz, removed_at = $11::timestamptz,
    listed_at = $12::timestamptz, updated_at = $13::timestamptz,
    finished_at = CASE WHEN $2 = 'done' THEN $13::timestamptz END
WHERE id = $1::text AND state = 'running'
