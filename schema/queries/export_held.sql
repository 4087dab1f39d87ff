SELECT t.id::text, (to_jsonb(t) - '{wrapped_key}'::text[] || jsonb_build_object('wrapped_key', encode(t.wrapped_key, 'base64')))::text
FROM held_message t WHERE tenant_id = $1::text AND t.id::text > $2::text
ORDER BY t.id::text LIMIT $3::int4
