#include "smime/smime_internal.h"

/* What kind of S/MIME entity a header announces (RFC 8551 §3.2, §3.5, §3.9). */

static bool is_one_of(const char *value, const char *a, const char *b)
{
    return value && (strcasecmp(value, a) == 0 || strcasecmp(value, b) == 0);
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcasecmp(name + n - m, end) == 0;
}

/* RFC 8551 §3.2.1: how files of S/MIME are named. */
static bool is_named_so(const char *name)
{
    static const char *const ends[] = {".p7m", ".p7s", ".p7c", ".p7z"};
    for (size_t i = 0; name && i < sizeof ends / sizeof *ends; i++)
        if (ends_in(name, ends[i]))
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

bool sg_smime_is_signature_part(struct sg_arena *arena, const struct sg_header_block *headers)
{
    struct sg_content_type type;
    sg_content_type_parse(arena, sg_header_find(headers, "Content-Type", 0), &type);
    const char *name = sg_content_type_parameter(&type, "name"), *file = file_name(arena, headers);
    if ((name && !ends_in(name, ".p7s")) || (file && !ends_in(file, ".p7s")))
        return false; /* some readers go by the name */
    return is_one_of(type.type, "application/pkcs7-signature", "application/x-pkcs7-signature") ||
           (strcmp(type.type, "application/octet-stream") == 0 && (name || file));
}

bool sg_smime_is_binary(struct sg_arena *arena, const struct sg_header_block *headers)
{
    const char *encoding = sg_source_encoding(arena, headers);
    return encoding && strcasecmp(encoding, "binary") == 0;
}

bool sg_smime_is_composite(struct sg_arena *arena, const struct sg_header_block *headers)
{
    struct sg_content_type type;
    sg_content_type_parse(arena, sg_header_find(headers, "Content-Type", 0), &type);
    return strncmp(type.type, "multipart/", 10) == 0 || strncmp(type.type, "message/", 8) == 0;
}

bool sg_smime_has_bare_cr(const struct sg_header_block *headers)
{
    struct sg_bytes raw = headers->raw;
    for (size_t i = 0; i < raw.len; i++)
        if (raw.data[i] == '\r' && (i + 1 == raw.len || raw.data[i + 1] != '\n'))
            return true;
    return false;
}

/* A multipart is not encoded (RFC 2045 §6.4), and its boundary ends in no blank (RFC 2046 §5.1.1):
 * where one is, readers find other parts in it, or none. */
static bool is_ambiguous_multipart(struct sg_arena *arena, const struct sg_header_block *headers,
                                   const struct sg_content_type *type)
{
    const struct sg_header *field = sg_header_find(headers, "Content-Transfer-Encoding", 0);
    const char *encoding = field ? sg_header_unfold(arena, field) : "7bit";
    const char *boundary = sg_content_type_parameter(type, "boundary");
    if (strncmp(type->type, "multipart/", 10) != 0)
        return false;
    return !(is_one_of(encoding, "7bit", "8bit") || strcasecmp(encoding, "binary") == 0) ||
           (boundary && (ends_in(boundary, " ") || ends_in(boundary, "\t")));
}

bool sg_smime_is_ambiguous(struct sg_arena *arena, const struct sg_header_block *headers)
{
    struct sg_content_type type;
    sg_content_type_parse(arena, sg_header_find(headers, "Content-Type", 0), &type);
    return type.ambiguous || sg_header_count(headers, "Content-Type") > 1 ||
           sg_header_count(headers, "Content-Transfer-Encoding") > 1 ||
           sg_smime_has_bare_cr(headers) || is_ambiguous_multipart(arena, headers, &type);
}
