INSERT INTO document (id, kind, title, version, text, url, sha256, required, valid_from, created_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::bool,
        $9::timestamptz, $10::timestamptz)
RETURNING id, created_at, kind, title, version, url, sha256, required, valid_from, withdrawn_at, ''::text, text, NULL::timestamptz, NULL::text
