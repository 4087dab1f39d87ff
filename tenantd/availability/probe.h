/*
 * A look at a part of the way of a mail: does it take part in its protocol? smtp:HOST:PORT greets
 * and answers EHLO; a daemon of ours, inet:HOST:PORT or unix:PATH ([ops] listen), answers /readyz
 * with 200.
 */
#ifndef SG_AVAILABILITY_PROBE_H
#define SG_AVAILABILITY_PROBE_H

#include "common/arena.h"
#include "common/error.h"

struct sg_probe {
    const char *component; /* "out": of one name each is looked at, and one that is well suffices */
    const char *kind;      /* smtp, inet, unix */
    const char *node;      /* "127.0.0.1:25", a path */
};

/* "out=smtp:192.0.2.1:25 gateway=inet:127.0.0.1:9471", separated by blanks. */
SG_MUST_USE bool sg_probes_parse(struct sg_arena *arena, const char *text,
                                 struct sg_probe **probes_r, size_t *count_r, struct sg_error *err);

/* True where it is well; why (size bytes) says what is wrong. */
bool sg_probe_look(const struct sg_probe *probe, int64_t timeout_ms, char *why, size_t size);

#endif
