#include "aggregates.h"

struct sg_db *db;
struct sg_arena *arena;
const char *tenant, *domain;
sg_time now;

const struct sg_claim claim = {"node1", 60000, OTHERS_MS, 10},
                      claim_short = {"node1", 1, OTHERS_MS, 10},
                      claim_many = {"node1", 60000, OTHERS_MS, 100},
                      of_another = {"node2", 60000, OTHERS_MS, 10},
                      after_outage = {"node2", 60000, INT32_MAX, 10};

int aggregates_open(void **state)
{
    (void)state;
    struct sg_db_options options = {.conninfo = getenv("SG_CONNINFO"),
                                    .password_file = getenv("SG_PASSWORD_FILE"),
                                    .application = "test",
                                    .actor = "gatewayd",
                                    .connections = 4,
                                    .wait_ms = 5000,
                                    .statement_timeout_ms = 10000};
    struct sg_error err = {0};
    tenant = getenv("SG_TENANT");
    domain = getenv("SG_DOMAIN");
    now = (sg_time)strtoll(getenv("SG_NOW"), NULL, 10) * SG_SECOND + 123456;
    arena = sg_arena_new();
    return sg_db_open(&options, &db, &err) ? 0 : -1;
}

int aggregates_close(void **state)
{
    (void)state;
    sg_db_close(&db);
    sg_arena_free(&arena);
    return 0;
}
