SELECT sealgate.token_used($1::text, $2::timestamptz)::text
