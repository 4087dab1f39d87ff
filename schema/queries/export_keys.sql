SELECT t.id::text, (to_jsonb(t) - '{blob,csr,spki,spki_sha256}'::text[] || jsonb_build_object('spki', encode(t.spki, 'base64')))::text
FROM hsm_key t WHERE tenant_id = $1::text AND t.id::text > $2::text
ORDER BY t.id::text LIMIT $3::int4
