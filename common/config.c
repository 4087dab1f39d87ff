#include "common/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_LIMIT 4096

struct unit {
    const char *suffix;
    int64_t factor;
};

static const struct unit sizes[] = {{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"", 1}, {0}};
static const struct unit durations[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {0}};
static const struct unit plain[] = {{"", 1}, {0}};

static bool number_parse(const char *text, const struct unit *units, int64_t *out)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || errno)
        return false;
    for (; units->suffix; units++)
        if (strcmp(end, units->suffix) == 0)
            return !__builtin_mul_overflow((int64_t)n, units->factor, out);
    return false;
}

static bool number_set(const struct sg_option *o, const char *value, int64_t *field,
                       struct sg_error *err)
{
    const struct unit *units = o->type == SG_OPT_SIZE       ? sizes
                               : o->type == SG_OPT_DURATION ? durations
                                                            : plain;
    int64_t n;
    if (!number_parse(value, units, &n))
        return sg_fail(err, SG_E_CONFIG, "%s: not a %s: %s", o->name,
                       o->type == SG_OPT_SIZE       ? "size (as 64k, 25m)"
                       : o->type == SG_OPT_DURATION ? "duration (as 30s, 5m, 4h)"
                                                    : "number",
                       value);
    if (n < o->min || n > o->max)
        return sg_fail(err, SG_E_CONFIG, "%s: %s is out of range (%lld to %lld)", o->name, value,
                       (long long)o->min, (long long)o->max);
    *field = n;
    return true;
}

static bool value_set(const struct sg_option *o, const char *value, void *settings,
                      struct sg_error *err)
{
    void *field = (char *)settings + o->offset;
    switch (o->type) {
    case SG_OPT_STRING:
    case SG_OPT_LIST: {
        char **s = field;
        free(*s);
        *s = strdup(value);
        return *s || sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    }
    case SG_OPT_INT:
    case SG_OPT_SIZE:
    case SG_OPT_DURATION:
        return number_set(o, value, field, err);
    case SG_OPT_BOOL: {
        bool yes = strcmp(value, "yes") == 0;
        if (!yes && strcmp(value, "no") != 0)
            return sg_fail(err, SG_E_CONFIG, "%s: must be yes or no: %s", o->name, value);
        *(bool *)field = yes;
        return true;
    }
    case SG_OPT_ENUM:
        for (int i = 0; o->choices[i]; i++) {
            if (strcmp(o->choices[i], value) == 0) {
                *(int *)field = i;
                return true;
            }
        }
        return sg_fail(err, SG_E_CONFIG, "%s: unknown choice: %s", o->name, value);
    }
    return sg_fail(err, SG_E_INTERNAL, "%s: no such type", o->name);
}

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    char *end = s + strlen(s);
    while (end > s && isspace((unsigned char)end[-1]))
        *--end = 0;
    return s;
}

static const struct sg_option *option_find(const struct sg_option *options, size_t count,
                                           const char *section, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(options[i].section, section) == 0 && strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

/* One line of the file; section holds the current one. */
static bool line_read(char *line, char *section, size_t section_size,
                      const struct sg_option *options, size_t count, bool *seen, void *settings,
                      struct sg_error *err)
{
    char *s = trim(line);
    if (*s == 0 || *s == '#' || *s == ';')
        return true;
    if (*s == '[') {
        char *end = strchr(s, ']');
        if (!end || end[1] || (size_t)(end - s) > section_size)
            return sg_fail(err, SG_E_CONFIG, "bad section header: %s", s);
        *end = 0;
        memmove(section, s + 1, strlen(s + 1) + 1);
        for (size_t i = 0; i < count; i++)
            if (strcmp(options[i].section, section) == 0)
                return true;
        return sg_fail(err, SG_E_CONFIG, "unknown section [%s]", section);
    }
    char *eq = strchr(s, '=');
    if (!eq)
        return sg_fail(err, SG_E_CONFIG, "no '=' in: %.64s", s);
    *eq = 0;
    char *name = trim(s), *value = trim(eq + 1);
    const struct sg_option *o = option_find(options, count, section, name);
    if (!o)
        return sg_fail(err, SG_E_CONFIG, "unknown key %s in [%s]", name, section);
    if (seen[o - options])
        return sg_fail(err, SG_E_CONFIG, "%s in [%s] is set twice", name, section);
    seen[o - options] = true;
    if (value_set(o, value, settings, err))
        return true;
    snprintf(err->field, sizeof err->field, "%.30s.%.30s", section, name);
    return false;
}

/* Reads the lines of f; seen tells which options were set. */
static bool lines_read(FILE *f, const char *path, const struct sg_option *options, size_t count,
                       bool *seen, void *settings, struct sg_error *err)
{
    char *line = NULL, section[LINE_LIMIT] = "";
    size_t size = 0;
    ssize_t len;
    bool ok = true;
    for (int n = 1; ok && (len = getline(&line, &size, f)) >= 0; n++) {
        struct sg_error why = {0};
        if (len >= LINE_LIMIT)
            ok = sg_fail(&why, SG_E_CONFIG, "line too long");
        else if (strlen(line) != (size_t)len)
            ok = sg_fail(&why, SG_E_CONFIG, "a NUL in the line");
        else
            ok = line_read(line, section, sizeof section, options, count, seen, settings, &why);
        if (!ok) {
            sg_fail(err, SG_E_CONFIG, "%s:%d: %s", path, n, why.detail);
            if (err)
                memcpy(err->field, why.field, sizeof err->field);
        }
    }
    free(line);
    if (ok && ferror(f))
        ok = sg_fail_errno(err, SG_E_CONFIG, "cannot read %s", path);
    return ok;
}

bool sg_config_load(const char *path, const struct sg_option *options, size_t count, void *settings,
                    struct sg_error *err)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return sg_fail_errno(err, SG_E_CONFIG, "cannot open %s", path);
    bool *seen = calloc(count ? count : 1, sizeof *seen);
    bool ok = seen != NULL || sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    for (size_t i = 0; ok && i < count; i++)
        if (options[i].initial)
            ok = value_set(&options[i], options[i].initial, settings, err);
    ok = ok && lines_read(f, path, options, count, seen, settings, err);
    for (size_t i = 0; ok && i < count; i++)
        if (!options[i].initial && !seen[i])
            ok = sg_fail(err, SG_E_CONFIG, "%s: %s in [%s] must be set", path, options[i].name,
                         options[i].section);
    free(seen);
    fclose(f);
    return ok;
}

void sg_config_free(const struct sg_option *options, size_t count, void *settings)
{
    for (size_t i = 0; i < count; i++) {
        if (options[i].type == SG_OPT_STRING || options[i].type == SG_OPT_LIST) {
            char **s = (char **)((char *)settings + options[i].offset);
            free(*s);
            *s = NULL;
        }
    }
}

static bool value_same(const struct sg_option *o, const void *a, const void *b)
{
    const char *x = (const char *)a + o->offset, *y = (const char *)b + o->offset;
    switch (o->type) {
    case SG_OPT_STRING:
    case SG_OPT_LIST:
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    case SG_OPT_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case SG_OPT_ENUM:
        return *(const int *)x == *(const int *)y;
    default:
        return *(const int64_t *)x == *(const int64_t *)y;
    }
}

void sg_config_compare(const struct sg_option *options, size_t count, const void *a, const void *b,
                       void (*each)(void *ctx, const struct sg_option *option), void *ctx)
{
    for (size_t i = 0; i < count; i++)
        if (!value_same(&options[i], a, b))
            each(ctx, &options[i]);
}

void sg_config_manual(FILE *out, const char *daemon, const struct sg_option *options, size_t count)
{
    static const char *const types[] = {"string",   "list of strings", "number", "size",
                                        "duration", "yes or no",       "choice"};
    const char *section = NULL;
    fprintf(out,
            ".Dd $Mdocdate$\n.Dt %s.CONF 5\n.Os\n.Sh NAME\n.Nm %s.conf\n"
            ".Nd configuration of the Sealgate daemon %s\n.Sh DESCRIPTION\n"
            "Lines of key = value in [sections]; a line that begins with # is a comment.\n",
            daemon, daemon, daemon);
    for (size_t i = 0; i < count; i++) {
        const struct sg_option *o = &options[i];
        if (!section || strcmp(section, o->section) != 0) {
            if (section)
                fputs(".El\n", out);
            section = o->section;
            fprintf(out, ".Ss [%s]\n.Bl -tag -width indent\n", section);
        }
        fprintf(out, ".It %s\n%s\n(%s; %s%s", o->name, o->help, types[o->type],
                o->initial ? "default: " : "must be set", o->initial ? o->initial : "");
        if (o->type == SG_OPT_ENUM) {
            fputs("; one of", out);
            for (int c = 0; o->choices[c]; c++)
                fprintf(out, " %s", o->choices[c]);
        }
        fputs(".)\n", out);
    }
    if (section)
        fputs(".El\n", out);
}
