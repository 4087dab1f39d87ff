-- REQ-189: nothing that is still under way can be for these: every certificate of theirs has ended
-- that long ago, or they never had one and no order wants them any more.
UPDATE hsm_key k SET state = 'retired', retired_at = $1::timestamptz, updated_at = $1::timestamptz
WHERE k.state IN ('active', 'compromised')
  AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.key_id = k.id
                  AND c.not_after + $2::int8 * interval '1 millisecond' > $1::timestamptz)
  AND NOT EXISTS (SELECT 1 FROM certificate_order o WHERE o.key_id = k.id AND o.finished_at IS NULL)
  AND (EXISTS (SELECT 1 FROM certificate c WHERE c.key_id = k.id)
       OR EXISTS (SELECT 1 FROM hsm_key n WHERE n.domain_id = k.domain_id AND n.state = 'active'
                  AND n.created_at > k.created_at
                  AND EXISTS (SELECT 1 FROM certificate c WHERE c.key_id = n.id))
       OR (SELECT state FROM domain d WHERE d.id = k.domain_id) = 'revoked')
