DELETE FROM submitter WHERE tenant_id = $1::text
