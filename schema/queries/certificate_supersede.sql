UPDATE certificate SET state = 'superseded', updated_at = $3::timestamptz
WHERE domain_id = $1::text AND state IN ('active', 'installed') AND not_before <= $2::timestamptz
  AND id <> $4::text
