SELECT t.id::text, (to_jsonb(t) - 'dedup_key' || jsonb_build_object('notes', (
    SELECT coalesce(jsonb_agg(to_jsonb(n) ORDER BY n.at), '[]') FROM incident_note n WHERE n.incident_id = t.id)))::text
FROM incident t WHERE tenant_id = $1::text AND t.id::text > $2::text
ORDER BY t.id::text LIMIT $3::int4
