-- Sealed as it lies here: what opens it is in the HSM alone.
SELECT held_id || ' ' || lpad(seq::text, 8, '0'),
    jsonb_build_object('held_id', held_id, 'seq', seq, 'sealed', encode(data, 'base64'))::text
FROM held_chunk WHERE tenant_id = $1::text AND held_id || ' ' || lpad(seq::text, 8, '0') > $2::text
ORDER BY held_id, seq LIMIT least($3::int4, 20)
