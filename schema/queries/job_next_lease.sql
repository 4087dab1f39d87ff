SELECT min(lease_until) FROM job WHERE state = 'running'
