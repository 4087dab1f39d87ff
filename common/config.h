/*
 * Configuration: lines of `key = value` in [sections], read through one typed table. An unknown
 * key or section, a duplicate or a value out of range is one line of error with file and line.
 * The manual page of the file is printed from the same table.
 */
#ifndef SG_COMMON_CONFIG_H
#define SG_COMMON_CONFIG_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum sg_option_type {
    SG_OPT_STRING,   /* char *           */
    SG_OPT_LIST,     /* char *: items separated by spaces, as one string */
    SG_OPT_INT,      /* int64_t          */
    SG_OPT_SIZE,     /* int64_t bytes: 64k, 25m, 1g */
    SG_OPT_DURATION, /* int64_t ms: 500ms, 30s, 5m, 4h, 7d */
    SG_OPT_BOOL,     /* bool: yes, no    */
    SG_OPT_ENUM      /* int: index into choices */
};

struct sg_option {
    const char *section, *name;
    enum sg_option_type type;
    size_t offset;              /* of the field in the daemon's settings struct */
    const char *initial;        /* default as it would be written; NULL: must be set */
    int64_t min, max;           /* of INT, SIZE, DURATION */
    const char *const *choices; /* of ENUM, ended by NULL */
    const char *help;           /* a sentence */
};

/*
 * Fills settings (zeroed by the caller) from defaults and the file. The strings belong to
 * settings: sg_config_free() releases them.
 */
SG_MUST_USE bool sg_config_load(const char *path, const struct sg_option *options, size_t count,
                                void *settings, struct sg_error *err);
void sg_config_free(const struct sg_option *options, size_t count, void *settings);
/* Calls each for every option whose value is not the same in both settings. */
void sg_config_compare(const struct sg_option *options, size_t count, const void *a, const void *b,
                       void (*each)(void *ctx, const struct sg_option *option), void *ctx);
/* The manual page NAME.conf(5) in mdoc. */
void sg_config_manual(FILE *out, const char *daemon, const struct sg_option *options, size_t count);

#endif
