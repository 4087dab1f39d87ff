UPDATE certificate_revocation
SET state = $2::text, explanation = $3::text, requested_at = $4::timestamptz,
    listed_at = $5::timestamptz, removed_at = $6::timestamptz, updated_at = $7::timestamptz
WHERE id = $1::text
