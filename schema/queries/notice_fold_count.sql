-- One more of its kind in this period; folded > 0: this one is told of in the summary.
INSERT INTO notice_fold AS f (domain_id, kind, recipient, partner, codes, tenant_id, summary_id,
    began_at, ends_at, singly, folded)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::timestamptz,
    $9::timestamptz, 1, 0)
ON CONFLICT (domain_id, kind, recipient, partner, codes) DO UPDATE
SET singly = f.singly + (f.folded = 0 AND f.singly < $10::int8)::int,
    folded = f.folded + (f.folded > 0 OR f.singly >= $10::int8)::int
RETURNING folded, summary_id
