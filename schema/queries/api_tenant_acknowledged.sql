-- The last required document that was wanting makes a pending tenant active (REQ-157).
UPDATE tenant t SET state = 'active', updated_at = $2::timestamptz
WHERE t.id = $1::text AND t.state = 'pending' AND NOT EXISTS (
    SELECT FROM document d
    WHERE d.required AND d.withdrawn_at IS NULL AND d.valid_from <= $2::timestamptz
      AND NOT EXISTS (SELECT FROM acknowledgement a
                      WHERE a.tenant_id = t.id AND a.document_id = d.id))
