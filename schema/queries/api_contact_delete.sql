DELETE FROM contact WHERE id = $1::text AND tenant_id IS NOT DISTINCT FROM $2::text
