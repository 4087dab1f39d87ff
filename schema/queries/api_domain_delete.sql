-- Its next hop goes with it.
WITH claim AS (
    SELECT id FROM domain d
    WHERE id = $1::text AND state IN ('pending', 'failed')
      AND NOT EXISTS (SELECT FROM hsm_key k WHERE k.domain_id = d.id)
    FOR UPDATE),
hop AS (DELETE FROM next_hop WHERE domain_id IN (SELECT id FROM claim))
DELETE FROM domain WHERE id IN (SELECT id FROM claim)
