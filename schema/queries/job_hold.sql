SELECT cancel FROM job
WHERE id = $1::text AND state = 'running' AND worker = $2::text AND attempts = $3::int4
FOR UPDATE
