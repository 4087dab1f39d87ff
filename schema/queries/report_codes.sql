-- Codes of table 3: how many recipients had each; one may have several.
SELECT coalesce(jsonb_agg(jsonb_build_array(code, n) ORDER BY code COLLATE "C"), '[]')::text
FROM (SELECT code, count(*) AS n, min($4::text)
      FROM message_recipient r, unnest(r.codes) AS code
      WHERE r.received_at >= $2::timestamptz AND r.received_at < $3::timestamptz
        AND ($1::text IS NULL OR r.tenant_id = $1::text)
      GROUP BY code) AS counted
