DELETE FROM held_chunk WHERE tenant_id = $1::text AND held_id = $2::text
