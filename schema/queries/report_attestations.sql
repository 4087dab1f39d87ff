SELECT coalesce(jsonb_agg(jsonb_build_array(requirement, words, name || ', ' || title,
           to_char(created_at AT TIME ZONE $4::text, 'YYYY-MM-DD'),
           to_char(valid_until AT TIME ZONE $4::text, 'YYYY-MM-DD'), valid_until >= $3::timestamptz)
       ORDER BY requirement, created_at, id), '[]')::text
FROM attestation
WHERE revoked_at IS NULL AND $1::text IS NOT DISTINCT FROM $1::text AND $2::timestamptz IS NOT NULL
