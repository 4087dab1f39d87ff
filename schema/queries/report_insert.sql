INSERT INTO report (id, tenant_id, kind, period, revision, state, complete, schema_version, data,
                    sha256, watermark, differs, made_at, made_by)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::int4, 'current', $6::bool, $7::int4, $8::text::jsonb,
        $9::bytea, $10::text::jsonb, $11::text::jsonb, $12::timestamptz, $13::text)
