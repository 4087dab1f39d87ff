UPDATE certificate_order
SET state = $3::text, cause = $4::text, explanation = $5::text, attempts = $6::int4,
    polls = $7::int4, next_at = $8::timestamptz, chain = $9::bytea[],
    certificate_id = coalesce($10::text, certificate_id), updated_at = $11::timestamptz,
    finished_at = CASE WHEN $12::bool THEN $11::timestamptz END
WHERE id = $1::text AND state = $2::text
