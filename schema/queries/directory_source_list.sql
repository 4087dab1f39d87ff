SELECT id, url, base_dn, ca_pem FROM directory_source ORDER BY position, created_at, id
