-- What is said of one message to one person: those of whom he was not told before come to the notice
-- that is still open, or to a new one.
WITH fresh AS (
    SELECT DISTINCT ON (u.about) u.about, u.address, u.code, u.status, u.words, u.partner
    FROM unnest($13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[])
        AS u (about, address, code, status, words, partner)
    WHERE NOT EXISTS (
        SELECT FROM notice_item i
        WHERE i.msg_id = $2::text AND i.kind = $5::text AND i.recipient = $6::text AND i.about = u.about)),
into_notice AS (
    INSERT INTO notice (id, msg_id, tenant_id, domain_id, kind, recipient, original, wrapped_key,
        sealed_as, state, created_at, next_try_at, received_at)
    SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bytea, $8::bytea,
        $19::text, 'open', $9::timestamptz, $10::timestamptz, $11::timestamptz
    WHERE EXISTS (SELECT FROM fresh)
    ON CONFLICT (msg_id, kind, recipient) WHERE state = 'open'
        DO UPDATE SET next_try_at = notice.next_try_at -- locks it: it cannot be closed meanwhile
    RETURNING id)
INSERT INTO notice_item (msg_id, kind, recipient, about, tenant_id, notice_id, address, code, status,
    words, partner, retry_at, created_at)
SELECT $2::text, $5::text, $6::text, f.about, $3::text, n.id, f.address, f.code, f.status, f.words,
    f.partner, $12::timestamptz, $9::timestamptz
FROM into_notice n, fresh f
ON CONFLICT DO NOTHING
