SELECT id, kind FROM archive_key WHERE state = 'retired' ORDER BY quarter
