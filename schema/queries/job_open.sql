-- One that is waiting or at work, or that failed in the last hour: no reason for another.
SELECT EXISTS (SELECT 1 FROM job WHERE kind = $1::text
    AND (state IN ('queued', 'running')
      OR (state = 'failed' AND finished_at > $2::timestamptz - interval '1 hour')))
