INSERT INTO directory_source (id, url, base_dn, ca_pem, position, created_at, anchor_id, filter, attribute,
                              bind_dn, credential)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::int4, $6::timestamptz, $7::text, $8::text, $9::text,
        $10::text, $11::text)
RETURNING id, created_at, url, base_dn, ca_pem, position, NULL::timestamptz, NULL::timestamptz, '',
          0, NULL::timestamptz, anchor_id, filter, attribute, bind_dn, credential
