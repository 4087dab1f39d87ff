-- Of a document in force, and of the text that was read (its hash). Once.
INSERT INTO acknowledgement (id, tenant_id, document_id, sha256, role, created_at)
SELECT $1::text, $2::text, d.id, d.sha256, $5::text, $6::timestamptz
FROM document d
WHERE d.id = $3::text AND d.sha256 = $4::text AND d.withdrawn_at IS NULL
  AND d.valid_from <= $6::timestamptz
