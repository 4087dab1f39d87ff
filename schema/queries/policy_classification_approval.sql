SELECT coalesce((settings->>'classification_approval')::bool, false) FROM policy WHERE tenant_id IS NULL
