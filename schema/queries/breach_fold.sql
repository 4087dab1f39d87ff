-- Counts up to $2 codes into their breaches; $1 is the time, $3 how many partners a month's cause
-- names. Returns how many were taken. Idempotent: what is counted is marked in the same statement,
-- and a message counts where no code of it was counted for that breach before.
WITH batch AS MATERIALIZED (
    SELECT received_at, msg_id, recipient, code FROM message_code
    WHERE NOT folded ORDER BY at LIMIT $2::int8 FOR UPDATE),
taken AS (
    UPDATE message_code c SET folded = true FROM batch b
    WHERE c.received_at = b.received_at AND c.msg_id = b.msg_id AND c.recipient = b.recipient
      AND c.code = b.code
    RETURNING c.*),
event AS (
    SELECT t.msg_id, t.tenant_id, t.code, t.at, coalesce(m.direction, 'inbound') AS direction,
           date_trunc('month', t.at AT TIME ZONE 'UTC')::date AS month,
           coalesce(v.level, 'breach') AS level, coalesce(v.class, 'unknown') AS class,
           coalesce(v.meaning, 'a code that table 3 does not have') AS cause,
           CASE WHEN m.direction = 'outbound' THEN m.sender_domain ELSE t.recipient_domain END AS domain,
           CASE WHEN m.direction = 'outbound' THEN t.recipient_domain
                ELSE coalesce(nullif(substring(lower(m.header_from) FROM '@([^@]+)$'), ''),
                              m.sender_domain, '') END COLLATE "C" AS partner,
           EXISTS (SELECT FROM message_code o
                   WHERE o.received_at = t.received_at AND o.msg_id = t.msg_id AND o.code = t.code
                     AND o.recipient_domain = t.recipient_domain AND o.folded
                     AND date_trunc('month', o.at AT TIME ZONE 'UTC')
                         = date_trunc('month', t.at AT TIME ZONE 'UTC')) AS counted
    FROM taken t
    LEFT JOIN verdict_code v ON v.code = t.code
    LEFT JOIN message m ON m.received_at = t.received_at AND m.id = t.msg_id),
cause AS (
    SELECT e.*, row_number() OVER (PARTITION BY e.tenant_id, e.domain, e.code, e.direction, e.month,
                                                e.known ORDER BY e.partner) AS place
    FROM (SELECT DISTINCT e.tenant_id, e.domain, e.code, e.direction, e.month, e.partner,
                 EXISTS (SELECT FROM breach b
                         WHERE b.source = 'mail' AND b.tenant_id = e.tenant_id AND b.domain = e.domain
                           AND b.code = e.code AND b.direction = e.direction AND b.month = e.month
                           AND b.partner_domain = e.partner) AS known
          FROM event e) AS e),
named AS (
    SELECT c.*, CASE WHEN c.known OR c.place + (
                    SELECT count(*) FROM breach b
                    WHERE b.source = 'mail' AND b.tenant_id = c.tenant_id AND b.domain = c.domain
                      AND b.code = c.code AND b.direction = c.direction AND b.month = c.month)
                    <= $3::int8 THEN c.partner ELSE '*' END AS shown
    FROM cause c),
sum AS (
    SELECT e.tenant_id, e.domain, e.code, e.direction, e.month, n.shown, min(e.level) AS level,
           min(e.class) AS class, min(e.cause) AS cause,
           count(DISTINCT e.msg_id) FILTER (WHERE NOT e.counted) AS messages, count(*) AS recipients,
           (array_agg(DISTINCT e.msg_id::text) FILTER (WHERE NOT e.counted))[1:10] AS samples,
           min(e.at) AS first_seen, max(e.at) AS last_seen
    FROM event e JOIN named n USING (tenant_id, domain, code, direction, month, partner)
    GROUP BY 1, 2, 3, 4, 5, 6),
stored AS (
    INSERT INTO breach AS b
        (id, tenant_id, source, month, level, code, class, cause, domain, partner_domain, direction,
         messages, recipients, samples, first_seen, last_seen, state)
    SELECT id_new('bre'), tenant_id, 'mail', month, level, code, class, cause, domain, shown,
           direction, messages, recipients, coalesce(samples, '{}'), first_seen, last_seen, 'open'
    FROM sum ORDER BY tenant_id, domain, code, shown, direction, month
    ON CONFLICT (tenant_id, domain, code, partner_domain, direction, month) WHERE source = 'mail'
    DO UPDATE SET messages = b.messages + excluded.messages,
                  recipients = b.recipients + excluded.recipients,
                  samples = (b.samples || excluded.samples)[1:10],
                  first_seen = least(b.first_seen, excluded.first_seen),
                  last_seen = greatest(b.last_seen, excluded.last_seen),
                  state = CASE WHEN excluded.last_seen > b.resolved_at THEN 'open' ELSE b.state END,
                  reopened_at = CASE WHEN b.state = 'resolved' AND excluded.last_seen > b.resolved_at
                                     THEN $1::timestamptz ELSE b.reopened_at END
    RETURNING b.id, b.tenant_id, b.reopened_at),
noted AS (
    INSERT INTO breach_note (id, breach_id, tenant_id, at, actor, action, words)
    SELECT id_new('brn'), id, tenant_id, $1, current_setting('app.actor'), 'reopened',
           'It was seen again after it had been resolved.'
    FROM stored WHERE reopened_at = $1)
SELECT count(*) FROM taken
