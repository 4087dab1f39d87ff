SELECT set_config('app.tenant', $1::text, true), set_config('app.actor', $2::text, true),
       set_config('app.address', $3::text, true), set_config('app.request_id', $4::text, true),
       set_config('app.now', $5::text, true)
