UPDATE certificate
SET published = $2::text, publication_error = $3::text, updated_at = $4::timestamptz,
    published_at = CASE WHEN $2::text = 'published' THEN coalesce(published_at, $4::timestamptz) END
WHERE id = $1::text AND (published, publication_error) IS DISTINCT FROM ($2::text, $3::text)
