-- An outcome never replaces a later one, unless it says more (the clock may have been put back): a final
-- one more than all others, the end of a hold more than it, and what was decided more than what was put off.
-- A final one stays, but that delivered replaces refused and discarded: held mail may be refused by an attempt whose end
-- PostgreSQL did not take, and sent by the next. Who has it has it, whatever else was said before or after, so
-- that it does not matter in which order the two are fed, nor how often. Within a batch likewise: delivered counts,
-- else the first final one of a recipient, else the last.
INSERT INTO message_recipient
    (msg_id, received_at, tenant_id, recipient, recipient_domain, outcome, verdict, codes, reply,
     outcome_at)
SELECT DISTINCT ON (received_at, msg_id, recipient)
       msg_id, received_at, tenant_id, recipient, recipient_domain, outcome, verdict,
       string_to_array(codes, ','), reply, outcome_at
FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::text[], $10::timestamptz[]) WITH ORDINALITY
    AS r (msg_id, received_at, tenant_id, recipient, recipient_domain, outcome, verdict, codes,
          reply, outcome_at, place)
ORDER BY received_at, msg_id, recipient,
         outcome = 'delivered' DESC, outcome IN ('refused', 'discarded') DESC,
         CASE WHEN outcome IN ('delivered', 'refused', 'discarded') THEN place ELSE -place END
ON CONFLICT (received_at, msg_id, recipient) DO UPDATE
    SET outcome = excluded.outcome, verdict = excluded.verdict, codes = excluded.codes,
        reply = excluded.reply, outcome_at = excluded.outcome_at
    WHERE (excluded.outcome = 'delivered' AND message_recipient.outcome <> 'delivered') OR
          (message_recipient.outcome NOT IN ('delivered', 'refused', 'discarded') AND
           (message_recipient.outcome_at <= excluded.outcome_at OR
            excluded.outcome IN ('refused', 'discarded', 'expired') OR
            (message_recipient.outcome IN ('received', 'deferred') AND
             excluded.outcome NOT IN ('received', 'deferred'))))
