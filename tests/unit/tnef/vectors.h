/* The streams of tests/vectors/tnef, by name. */
#ifndef SG_TESTS_TNEF_VECTORS_H
#define SG_TESTS_TNEF_VECTORS_H

#include "common/arena.h"
#include "common/buf.h"

/* Names of all, sorted; ended by NULL. */
const char *const *vector_names(struct sg_arena *arena);
/* suffix: "tnef" or "parts". */
struct sg_bytes vector_read(struct sg_arena *arena, const char *name, const char *suffix);
/* As the .parts files show bytes. */
void vector_show(struct sg_buf *out, struct sg_bytes bytes);

#endif
