/* Text from strangers made fit for PostgreSQL. Inside schema/ alone. */
#ifndef SG_SCHEMA_TEXT_CLEAN_H
#define SG_SCHEMA_TEXT_CLEAN_H

#include "common/arena.h"

/* s where it is UTF-8 and at most limit bytes (0: any length), else a copy in the arena: cut at a
 * character, U+FFFD in place of what is not UTF-8. NULL becomes "". */
const char *sg_text_clean(struct sg_arena *arena, const char *s, size_t limit);
/* JSON text without the escape for NUL, which jsonb refuses; U+FFFD stands in its place. */
const char *sg_json_clean(struct sg_arena *arena, const char *json);

#endif
