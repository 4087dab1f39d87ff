#include "gwctl.h"

#include <stdlib.h>
#include <string.h>

/* Options of every command. */
static const struct gw_option common[] = {{"--json", NULL, false},
                                          {"--url", "URL", false},
                                          {"--token-file", "FILE", false},
                                          {"--idempotency-key", "KEY", false},
                                          {0}};

static const struct gw_option *option_find(const struct gw_option *options, const char *name)
{
    for (; options && options->name; options++)
        if (strcmp(options->name, name) == 0)
            return options;
    return NULL;
}

static size_t word_count(const char *text)
{
    size_t n = 0;
    for (const char *p = text; *p; p += strspn(p, " ")) {
        n++;
        p += strcspn(p, " ");
    }
    return n;
}

/* How many of argv are the command's words; 0: another command. */
static int words_match(const char *words, int argc, char **argv)
{
    int n = 0;
    for (const char *p = words; *p; p += strspn(p, " "), n++) {
        size_t len = strcspn(p, " ");
        if (n >= argc || strlen(argv[n]) != len || strncmp(argv[n], p, len) != 0)
            return 0;
        p += len;
    }
    return n;
}

static bool option_read(struct gw *gw, int argc, char **argv, int *at, struct sg_error *err)
{
    const char *name = argv[*at];
    const struct gw_option *o = option_find(gw->command->options, name);
    if (!o)
        o = option_find(common, name);
    if (!o)
        return sg_fail(err, SG_E_USAGE, "%s: there is no option %.40s", gw->command->words, name);
    if (gw_option(gw, name))
        return sg_fail(err, SG_E_USAGE, "%s is given twice", name);
    if (o->value && *at + 1 >= argc)
        return sg_fail(err, SG_E_USAGE, "%s needs a value", name);
    if (gw->option_count == GW_OPTIONS_MAX)
        return sg_fail(err, SG_E_USAGE, "too many options");
    gw->options[gw->option_count].name = o->name;
    gw->options[gw->option_count++].value = o->value ? argv[++*at] : "";
    return true;
}

static bool required_check(const struct gw *gw, struct sg_error *err)
{
    if (gw->argument_count != word_count(gw->command->arguments))
        return sg_fail(err, SG_E_USAGE, "%s needs: %s", gw->command->words,
                       *gw->command->arguments ? gw->command->arguments : "no argument");
    for (const struct gw_option *o = gw->command->options; o && o->name; o++)
        if (o->required && !gw_option(gw, o->name) && !gw_option(gw, "--body-file"))
            return sg_fail(err, SG_E_USAGE, "%s needs %s %s", gw->command->words, o->name,
                           o->value);
    return true;
}

bool gw_args_read(struct gw *gw, const struct gw_command *commands, size_t count, int argc,
                  char **argv, struct sg_error *err)
{
    int at = 0;
    for (size_t i = 0; i < count; i++) { /* "tenant cancel withdraw" is not "tenant cancel" */
        int n = words_match(commands[i].words, argc, argv);
        gw->command = n > at ? &commands[i] : gw->command;
        at = n > at ? n : at;
    }
    if (!gw->command)
        return sg_fail(err, SG_E_USAGE, "there is no command %.40s %.40s (gwctl --help lists them)",
                       argv[0], argc > 1 ? argv[1] : "");
    for (; at < argc; at++) {
        if (strncmp(argv[at], "--", 2) == 0) {
            if (!option_read(gw, argc, argv, &at, err))
                return false;
        } else if (gw->argument_count == GW_ARGUMENTS_MAX) {
            return sg_fail(err, SG_E_USAGE, "too many arguments");
        } else {
            gw->arguments[gw->argument_count++] = argv[at];
        }
    }
    gw->json = gw_option(gw, "--json") != NULL;
    return required_check(gw, err);
}

void gw_usage_line(FILE *out, const struct gw_command *command)
{
    fprintf(out, "  gwctl %s%s%s", command->words, *command->arguments ? " " : "",
            command->arguments);
    for (const struct gw_option *o = command->options; o && o->name; o++)
        fprintf(out, o->required ? " %s%s%s" : " [%s%s%s]", o->name, o->value ? " " : "",
                o->value ? o->value : "");
    fprintf(out, "\n      %s\n", command->help);
}

const char *gw_option(const struct gw *gw, const char *name)
{
    for (size_t i = 0; i < gw->option_count; i++)
        if (strcmp(gw->options[i].name, name) == 0)
            return gw->options[i].value;
    return NULL;
}

bool gw_number(const char *text, const char *what, long min, long max, long *number_r,
               struct sg_error *err)
{
    char *end;
    *number_r = strtol(text, &end, 10);
    if (end == text || *end || *number_r < min || *number_r > max)
        return sg_fail(err, SG_E_USAGE, "%s: a number from %ld to %ld", what, min, max);
    return true;
}
