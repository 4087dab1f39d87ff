-- A certificate says more than a network; of networks there is one at most, for they do not overlap.
SELECT s.id, s.tenant_id, s.kind, t.state
FROM submitter s JOIN tenant t ON t.id = s.tenant_id
WHERE t.state IN ('active', 'suspended')
  AND ((s.kind = 'client_certificate' AND s.fingerprint = $2::text)
    OR (s.kind = 'network' AND s.network >>= $1::inet))
ORDER BY s.kind LIMIT 1
