#include "directory/directory_internal.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define VERSION_MAX 100

static bool label_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* Two labels or more of letters, digits and inner hyphens; the last is no number. */
static bool domain_valid(const char *name)
{
    size_t labels = 0, len = strlen(name);
    bool number = true;
    if (len > 253)
        return false;
    for (const char *p = name;; p++) {
        size_t n = strcspn(p, ".");
        if (n == 0 || n > 63 || p[0] == '-' || p[n - 1] == '-')
            return false;
        number = true;
        for (size_t i = 0; i < n; i++) {
            if (!label_char((uint8_t)p[i]))
                return false;
            number &= p[i] >= '0' && p[i] <= '9';
        }
        labels++;
        p += n;
        if (!*p)
            break;
    }
    return labels >= 2 && !number;
}

const char *sg_member_parse(struct sg_arena *arena, struct sg_bytes value)
{
    if (!sg_bytes_starts(value, "*@") || memchr(value.data, 0, value.len))
        return NULL;
    char *name = sg_arena_str(arena, sg_bytes_slice(value, 2, value.len));
    for (char *p = name; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p += 'a' - 'A';
    return domain_valid(name) ? name : NULL;
}

const char *sg_version_parse(struct sg_arena *arena, struct sg_bytes value)
{
    if (value.len == 0 || value.len > VERSION_MAX)
        return "";
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < ' ' || value.data[i] >= 0x7f)
            return "";
    return sg_arena_str(arena, value);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* SHA-256 of the names, a line each. */
static const char *digest(struct sg_arena *arena, const char *const *names, size_t count)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_DigestUpdate(md, names[i], strlen(names[i])) == 1 &&
             EVP_DigestUpdate(md, "\n", 1) == 1;
    if (!ok || EVP_DigestFinal_ex(md, hash, &len) != 1)
        abort(); /* SHA-256 of memory fails only without memory */
    EVP_MD_CTX_free(md);
    char *text = sg_arena_alloc(arena, 2 * (size_t)len + 1);
    sg_hex_lower(hash, len, text);
    return text;
}

void sg_members_read(struct sg_arena *arena, const struct sg_bytes *values, size_t count,
                     struct sg_member_reading *reading_r)
{
    const char **names = SG_ARENA_ARRAY(arena, const char *, count + 1);
    size_t n = 0, kept = 0;
    reading_r->skipped = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = sg_member_parse(arena, values[i]);
        if (name)
            names[n++] = name;
        else
            reading_r->skipped++;
    }
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
            names[kept++] = names[i];
    reading_r->names = names;
    reading_r->count = kept;
    reading_r->digest = digest(arena, names, kept);
}
