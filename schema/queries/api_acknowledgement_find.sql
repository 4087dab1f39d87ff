SELECT a.id, a.created_at, a.tenant_id, a.document_id, d.kind, d.title, d.version, a.sha256, a.role
FROM acknowledgement a JOIN document d ON d.id = a.document_id
WHERE a.tenant_id = $1::text AND a.id = $2::text
