-- Plans of this transaction are made for the values given: a filter that is NULL costs nothing.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true)
