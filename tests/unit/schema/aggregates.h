/*
 * Aggregates of the message path against a real server: what their programs share.
 * tests/system/test_schema.py starts it, makes the tenants and runs them; the environment names
 * these: SG_CONNINFO, SG_PASSWORD_FILE, SG_TENANT, SG_DOMAIN, SG_SUSPENDED_DOMAIN, SG_ARCHIVE_KEY,
 * SG_NOW (seconds).
 */
#ifndef SG_TEST_AGGREGATES_H
#define SG_TEST_AGGREGATES_H

#include "common/id.h"
#include "schema/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern struct sg_db *db;
extern struct sg_arena *arena;
extern const char *tenant, *domain;
extern sg_time now;

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct sg_error err = {0};                                                                 \
        if (!(call))                                                                               \
            fail_msg("%s: %s %s", #call, sg_error_name(err.code), err.detail);                     \
    } while (0)
#define FAILS(call, expected)                                                                      \
    do {                                                                                           \
        struct sg_error err = {0};                                                                 \
        assert_false(call);                                                                        \
        assert_string_equal(sg_error_name(err.code), #expected);                                   \
    } while (0)

static inline struct sg_bytes text(const char *s)
{
    return sg_bytes_str(s);
}

/* Of a group. */
int aggregates_open(void **state);
int aggregates_close(void **state);

/* Who takes what is due, under a lease. */
#define OTHERS_MS 3600000
extern const struct sg_claim claim, claim_short, claim_many, of_another, after_outage;

#endif
