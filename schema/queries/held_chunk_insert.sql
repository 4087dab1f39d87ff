INSERT INTO held_chunk (held_id, tenant_id, seq, data)
VALUES ($1::text, $2::text, $3::int4, $4::bytea)
