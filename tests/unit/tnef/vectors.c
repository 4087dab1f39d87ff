#include "vectors.h"

#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

#define FOLDER SG_SOURCE_DIR "/tests/vectors/tnef/"

const char *const *vector_names(struct sg_arena *arena)
{
    glob_t found;
    if (glob(FOLDER "*.tnef", 0, NULL, &found) != 0 || found.gl_pathc < 10)
        abort();
    const char **names = SG_ARENA_ARRAY(arena, const char *, found.gl_pathc + 1);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *name = sg_arena_strdup(arena, basename(found.gl_pathv[i]));
        *strrchr(name, '.') = '\0';
        names[i] = name;
    }
    globfree(&found);
    return names;
}

struct sg_bytes vector_read(struct sg_arena *arena, const char *name, const char *suffix)
{
    FILE *f = fopen(sg_arena_printf(arena, FOLDER "%s.%s", name, suffix), "rb");
    uint8_t *bytes = sg_arena_alloc(arena, 1 << 20);
    if (!f)
        abort();
    size_t len = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return sg_bytes_of(bytes, len);
}

void vector_show(struct sg_buf *out, struct sg_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.data[i] >= 32 && bytes.data[i] < 127 && bytes.data[i] != '\\')
            sg_buf_add(out, &bytes.data[i], 1);
        else
            sg_buf_addf(out, "\\x%02x", bytes.data[i]);
}
