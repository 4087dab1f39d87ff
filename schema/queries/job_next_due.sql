SELECT min(run_at) FROM job WHERE state = 'queued'
