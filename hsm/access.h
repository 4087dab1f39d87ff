/*
 * Who may do what: caller's uid × operation × key class. Pure; read from the configuration as
 * `uid:class:operation,operation …`, where uid may be a user's name. REQ-132
 */
#ifndef SG_HSM_ACCESS_H
#define SG_HSM_ACCESS_H

#include "hsmclient/protocol.h"

#include <sys/types.h>

#define SG_ACCESS_RULES 64

struct sg_access {
    size_t count;
    struct sg_access_rule {
        uid_t uid;
        enum sg_hsm_class class;
        unsigned ops; /* bit n: enum sg_hsm_op n */
    } rules[SG_ACCESS_RULES];
};

SG_MUST_USE bool sg_access_parse(const char *text, struct sg_access *access_r,
                                 struct sg_error *err);
/* Whether any rule names the caller: health is for those. */
bool sg_access_known(const struct sg_access *access, uid_t uid);
bool sg_access_allows(const struct sg_access *access, uid_t uid, enum sg_hsm_op op,
                      enum sg_hsm_class class);

#endif
