SELECT least((SELECT min(run_at) FROM job WHERE state = 'queued'),
             (SELECT min(lease_until) FROM job WHERE state = 'running'))
