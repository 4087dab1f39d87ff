/*
 * JSON objects and query strings read by arrays of fields: each names a member, its type, its
 * limits and where it goes in a struct; members may be lists and objects of their own. The first
 * fault found is reported with the field it is about: as a JSON pointer ("/domains/1/name",
 * RFC 6901) for a body, as the bare name for a query parameter.
 * Errors: SG_E_MALFORMED (no JSON, no object, a member twice), SG_E_UNKNOWN_FIELD, SG_E_INVALID.
 */
#ifndef SG_API_JSON_SPEC_H
#define SG_API_JSON_SPEC_H

#include "common/arena.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"

#include <jansson.h>

enum api_type {
    API_STRING,  /* const char *, one line: control characters are refused */
    API_TEXT,    /* const char *, may have line breaks and tabs */
    API_INTEGER, /* int64_t */
    API_BOOLEAN, /* bool */
    API_TIME,    /* sg_time, from RFC 3339 with Z */
    API_STRINGS, /* struct api_strings; min, max, choices and check are of each of them */
    API_OBJECT,  /* void *, a struct of .object; NULL: absent */
    API_OBJECTS, /* struct api_objects, of structs of .object */
    API_INLINE   /* void *, a struct of .object whose members stand among the others; no name */
};

/* A list that is absent has none. */
struct api_strings {
    size_t count;
    const char **items;
};
struct api_objects {
    size_t count;
    void *items; /* count structs of spec->size bytes */
};

/* Looks at a string and may put another in its place (lower-cased, as in the database). */
typedef bool (*api_check)(struct sg_arena *arena, const char **value, struct sg_error *err);

struct api_spec;
struct api_field {
    const char *name;
    enum api_type type;
    size_t offset;              /* in the struct that is filled */
    bool optional;              /* absent: initial, or NULL, 0, false */
    int64_t min, max;           /* of an integer; of a string, its length in characters */
    const char *const *choices; /* ended by NULL; NULL: any string */
    api_check check;            /* may be NULL */
    const char *initial_text;
    int64_t initial;
    /* Of lists: how many. Of objects: what each is, one below another eight deep at most. */
    size_t items_min, items_max;
    const struct api_spec *object;
};

struct api_spec {
    const struct api_field *fields;
    size_t count;
    size_t size; /* of the struct that is filled */
    /* What concerns several fields, and what is derived from them; may be NULL. */
    bool (*check)(struct sg_arena *arena, void *out, struct sg_error *err);
};

/* Fills out (zeroed, spec->size bytes) from a body. Strings live in the arena. */
SG_MUST_USE bool api_spec_read(const struct api_spec *spec, struct sg_arena *arena,
                               struct sg_bytes body, void *out, struct sg_error *err);

/* One "name=value" of a query string, not decoded; value NULL where there was no "=". */
struct api_pair {
    const char *name, *value;
};
/* The same from a query string; spec NULL takes no parameter at all. */
SG_MUST_USE bool api_spec_read_query(const struct api_spec *spec, struct sg_arena *arena,
                                     const struct api_pair *pairs, size_t count, void *out,
                                     struct sg_error *err);

/* For checks: fails with SG_E_INVALID about a field of the object that is checked. */
bool api_invalid(struct sg_error *err, const char *field, const char *fmt, ...) SG_PRINTF(3, 4);

/* "2026-11-23T04:05:06.789Z"; upper-case T and Z, up to six decimals, no leap second. */
SG_MUST_USE bool api_time_parse(const char *text, sg_time *time_r);

/* The fields as JSON, for `apid --routes`. */
json_t *api_spec_describe(const struct api_spec *spec);

#endif
