SELECT t.id::text, (to_jsonb(t) - '{der,chain,sha256}'::text[] || jsonb_build_object('der', encode(t.der, 'base64')))::text
FROM certificate t WHERE tenant_id = $1::text AND t.id::text > $2::text
ORDER BY t.id::text LIMIT $3::int4
