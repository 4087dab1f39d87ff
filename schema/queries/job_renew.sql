-- A worker's hold on the job it is doing. Nothing is changed where it went to another.
UPDATE job SET lease_until = $4::timestamptz
WHERE id = $1::text AND state = 'running' AND worker = $2::text AND attempts = $3::int4
