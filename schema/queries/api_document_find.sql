SELECT id, created_at, kind, title, version, url, sha256, required, valid_from, withdrawn_at, '', text, NULL::timestamptz, NULL::text
FROM document WHERE id = $1::text
