-- By whichever domain here: what its owner has had revoked is good for nobody from then on, whatever a revocation list
-- that is still good for hours says (REQ-174, 200).
SELECT EXISTS (SELECT FROM certificate WHERE sha256 = $1::bytea AND state = 'revoked')
