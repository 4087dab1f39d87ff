SELECT der FROM partner_certificate WHERE domain = $1::text AND state = 'active'
ORDER BY not_before DESC, sha256
