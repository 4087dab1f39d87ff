DELETE FROM held_chunk c USING held_message h
WHERE c.tenant_id = $1::text AND c.held_id = ANY($2::text[]) AND h.id = c.held_id AND h.state <> 'held'
