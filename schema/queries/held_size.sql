-- Octets of a tenant's mail that are held.
SELECT coalesce(sum(size_bytes), 0)::int8 FROM held_message WHERE tenant_id = $1::text AND state = 'held'
