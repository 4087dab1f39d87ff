UPDATE document SET withdrawn_at = $2::timestamptz WHERE id = $1::text AND withdrawn_at IS NULL
RETURNING id, created_at, kind, title, version, url, sha256, required, valid_from, withdrawn_at, ''::text, text, NULL::timestamptz, NULL::text
