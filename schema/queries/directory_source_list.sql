SELECT s.id, s.url, s.base_dn, s.ca_pem, s.filter, s.attribute, s.bind_dn, s.credential, a.der
FROM directory_source s LEFT JOIN trust_anchor a ON a.id = s.anchor_id
ORDER BY s.position, s.created_at, s.id
