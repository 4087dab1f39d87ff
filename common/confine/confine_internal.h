#ifndef SG_CONFINE_INTERNAL_H
#define SG_CONFINE_INTERNAL_H

#include "confine/confine.h"

#include <seccomp.h>

/* calls.c: what is allowed. false: libseccomp could not take a rule. */
SG_MUST_USE bool sg_confine_rules(scmp_filter_ctx filter, unsigned needs);

/* refused.c: takes SIGSYS, and starts the thread that tells. */
SG_MUST_USE bool sg_confine_watch(struct sg_error *err);

#endif
