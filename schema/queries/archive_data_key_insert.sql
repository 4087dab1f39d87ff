INSERT INTO archive_data_key (id, archive_key_id, node, tenant_id, day, wrapped, created_at)
VALUES ($1::text, $2::text, $3::text, $4::text, date '1970-01-01' + $5::int4, $6::bytea,
        $7::timestamptz)
ON CONFLICT (id) DO NOTHING
