INSERT INTO list_change (id, list_id, state, reason, version, source_url, members_before,
                         members_after, added, removed, digest, created_at, decided_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::int4, $8::int4, $9::int4,
        $10::int4, $11::text, $12::timestamptz,
        CASE WHEN $3 = 'applied' THEN $12 END)
