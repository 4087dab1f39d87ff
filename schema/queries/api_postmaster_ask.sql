INSERT INTO postmaster_check (domain_id, tenant_id, state, asked_at, asked_today, day_begin)
VALUES ($1::text, $2::text, 'asked', $3::timestamptz, $4::int4, $5::timestamptz)
ON CONFLICT (domain_id) DO UPDATE
SET state = 'asked', hash = NULL, asked_at = excluded.asked_at, asked_today = excluded.asked_today,
    day_begin = excluded.day_begin, sent_at = NULL, expires_at = NULL, tries = 0, last_error = '',
    verified_at = NULL
