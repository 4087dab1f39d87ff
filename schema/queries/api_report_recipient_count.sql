SELECT count(*) FROM report_recipient WHERE tenant_id IS NOT DISTINCT FROM $1::text
