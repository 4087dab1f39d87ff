#include "smime/smime_internal.h"

/* What kind of S/MIME entity a header announces (RFC 8551 §3.2, §3.5, §3.9). */

static bool is_one_of(const char *value, const char *a, const char *b)
{
    return value && (strcasecmp(value, a) == 0 || strcasecmp(value, b) == 0);
}

/* RFC 8551 §3.2.1: how files of S/MIME are named. */
static bool is_named_so(const char *name)
{
    static const char *const ends[] = {".p7m", ".p7s", ".p7c", ".p7z"};
    size_t n = name ? strlen(name) : 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (n >= 4 && strcasecmp(name + n - 4, ends[i]) == 0)
            return true;
    return false;
}

/* The file name that Content-Disposition gives. */
static const char *file_name(struct sg_arena *arena, const struct sg_header_block *headers)
{
    const struct sg_header *field = sg_header_find(headers, "Content-Disposition", 0);
    if (!field)
        return NULL;
    /* Its grammar is that of a Content-Type without the slash. */
    struct sg_header like = *field;
    like.value =
        sg_bytes_str(sg_arena_printf(arena, "disposition/%s", sg_header_unfold(arena, field)));
    struct sg_content_type type;
    sg_content_type_parse(arena, &like, &type);
    return sg_content_type_parameter(&type, "filename");
}

enum sg_smime_form sg_smime_classify(struct sg_arena *arena, const struct sg_header_block *headers,
                                     const char **boundary_r)
{
    struct sg_content_type type;
    sg_content_type_parse(arena, sg_header_find(headers, "Content-Type", 0), &type);
    *boundary_r = sg_content_type_parameter(&type, "boundary");
    if (strcmp(type.type, "multipart/signed") == 0)
        return is_one_of(sg_content_type_parameter(&type, "protocol"),
                         "application/pkcs7-signature", "application/x-pkcs7-signature")
                   ? SG_SMIME_FORM_DETACHED
                   : SG_SMIME_FORM_NONE;
    if (is_one_of(type.type, "application/pkcs7-mime", "application/x-pkcs7-mime")) {
        const char *kind = sg_content_type_parameter(&type, "smime-type");
        return kind && strcasecmp(kind, "certs-only") == 0 ? SG_SMIME_FORM_NONE : SG_SMIME_FORM_CMS;
    }
    if (strcmp(type.type, "application/octet-stream") == 0 &&
        (is_named_so(sg_content_type_parameter(&type, "name")) ||
         is_named_so(file_name(arena, headers))))
        return SG_SMIME_FORM_CMS;
    return SG_SMIME_FORM_NONE;
}

bool sg_smime_is(struct sg_arena *arena, const struct sg_header_block *headers)
{
    const char *boundary;
    return sg_smime_classify(arena, headers, &boundary) != SG_SMIME_FORM_NONE;
}

bool sg_smime_is_ambiguous(struct sg_arena *arena, const struct sg_header_block *headers)
{
    struct sg_content_type type;
    sg_content_type_parse(arena, sg_header_find(headers, "Content-Type", 0), &type);
    return type.ambiguous || sg_header_count(headers, "Content-Type") > 1 ||
           sg_header_count(headers, "Content-Transfer-Encoding") > 1;
}
