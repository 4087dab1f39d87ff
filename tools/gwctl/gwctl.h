/*
 * gwctl: the operator's command line, over the REST API alone. A command is a row of a table
 * (main.c): words, arguments, options, a function. Here is what the functions share.
 *
 * Errors: SG_E_USAGE is exit status 2, all others 1, with one line on stderr.
 */
#ifndef SG_GWCTL_H
#define SG_GWCTL_H

#include "common/arena.h"
#include "common/bytes.h"
#include "common/error.h"
#include "common/secret.h"

#include <jansson.h>
#include <stdio.h>

#define GW_ARGUMENTS_MAX 4
#define GW_OPTIONS_MAX   24

struct gw_option {
    const char *name;  /* "--host" */
    const char *value; /* what stands for its value in the help; NULL: a flag */
    bool required;
};

/* A parameter of the query, or a member of the body, and how its option's value becomes it. */
enum gw_kind {
    GW_STRING,
    GW_INTEGER,
    GW_BOOLEAN, /* "true", "false" */
    GW_LIST,    /* "A,B": an array of strings */
    GW_FILE,    /* the text of a file */
    GW_JSON     /* the JSON in a file */
};
struct gw_field {
    const char *name, *option; /* NULL ends an array */
    enum gw_kind kind;
};
struct gw_column {
    const char *title, *key; /* of a member */
};

struct gw;
struct gw_command {
    const char *words;                                /* "next-hop set" */
    const char *arguments;                            /* "TENANT DOMAIN" */
    const struct gw_option *options;                  /* ended by a row without name; may be NULL */
    bool (*run)(struct gw *gw, struct sg_error *err); /* NULL: by the members below */
    const char *help;
    /* An operation of the API, out of its description (operations). */
    const char *method, *path; /* "/v1/tenants/{tenant_id}" */
    const struct gw_field *fields;
    const struct gw_column *columns; /* of a list; NULL: none */
    bool body, raw;                  /* it takes a body; its answer is no JSON */
};

/* Made by tools/gwctl/operations: each operation of the API is a command, but those that a command
 * of ours serves in a way of its own. */
extern const struct gw_command gw_operations[];
extern const size_t gw_operation_count;
struct gw_own {
    const char *words, *method, *path;
};
extern const struct gw_own gw_own[];
extern const size_t gw_own_count;

/* operation.c: does a command of the table above. */
SG_MUST_USE bool gw_operation(struct gw *gw, struct sg_error *err);
/* document.c: the table as a page of the manual, as a completion for a shell, as JSON. */
void gw_manual(const struct gw_command *commands, size_t count);
SG_MUST_USE bool gw_completion(const struct gw_command *commands, size_t count, const char *shell,
                               struct sg_error *err);
void gw_commands_dump(const struct gw_command *commands, size_t count);

struct gw {
    struct sg_arena *arena;
    const struct gw_command *command;
    const char *arguments[GW_ARGUMENTS_MAX];
    size_t argument_count;
    struct {
        const char *name, *value;
    } options[GW_OPTIONS_MAX];
    size_t option_count;
    bool json;                   /* --json: for machines */
    const char *idempotency_key; /* of this call of gwctl; each change adds its number */
    unsigned changes;
    const char *url;    /* SEALGATE_URL or --url */
    const char *socket; /* of unix:PATH; NULL: TCP */
    struct sg_secret token;
    void *curl;
};

/* args.c: the command line into gw. SG_E_USAGE says what is wrong with it. */
SG_MUST_USE bool gw_args_read(struct gw *gw, const struct gw_command *commands, size_t count,
                              int argc, char **argv, struct sg_error *err);
/* "gwctl next-hop set TENANT DOMAIN --host HOST …" */
void gw_usage_line(FILE *out, const struct gw_command *command);
/* The value of an option; NULL: not given (a flag that is given is ""). */
const char *gw_option(const struct gw *gw, const char *name);
SG_MUST_USE bool gw_number(const char *text, const char *what, long min, long max, long *number_r,
                           struct sg_error *err);

/* client.c: the API. */
SG_MUST_USE bool gw_client_open(struct gw *gw, struct sg_error *err);
void gw_client_close(struct gw *gw);
/* body is taken over. The answer, json_null() for 204; NULL: err says what the API said. */
SG_MUST_USE json_t *gw_call(struct gw *gw, const char *method, const char *path, json_t *body,
                            struct sg_error *err);
/* path with "?name=value" or "&name=value" behind it; value NULL leaves it as it is. */
const char *gw_query(struct gw *gw, const char *path, const char *name, const char *value);
/* The same for an answer that is no JSON: as it came. */
SG_MUST_USE bool gw_call_raw(struct gw *gw, const char *path, struct sg_bytes *answer_r,
                             struct sg_error *err);
/* Waits until a job (of the tenant's; NULL: any) is done; its last state. How it goes is said on a
 * terminal. SG_E_TIMEOUT after --timeout. */
SG_MUST_USE json_t *gw_job_wait(struct gw *gw, const char *tenant, const char *job_id,
                                struct sg_error *err);

/* names.c: what people write into what paths need. */
SG_MUST_USE const char *gw_id(const char *text, const char *prefix, struct sg_error *err);
/* By id, or by a name that one tenant alone has. */
SG_MUST_USE const char *gw_tenant(struct gw *gw, const char *text, struct sg_error *err);
SG_MUST_USE const char *gw_domain(struct gw *gw, const char *tenant, const char *text,
                                  struct sg_error *err);
/* "/v1/tenants/ID" of the first argument, and "…/domains/ID" of the first two. */
SG_MUST_USE const char *gw_tenant_path(struct gw *gw, struct sg_error *err);
SG_MUST_USE const char *gw_domain_path(struct gw *gw, struct sg_error *err);

/* files.c */
SG_MUST_USE const char *gw_file_read(struct gw *gw, const char *path, struct sg_error *err);
/* To a new file with that mode, or over an old one where replace; "-" is standard output. */
SG_MUST_USE bool gw_file_write_bytes(const char *path, struct sg_bytes data, unsigned mode,
                                     bool replace, struct sg_error *err);
SG_MUST_USE bool gw_file_write(const char *path, const char *text, unsigned mode, bool replace,
                               struct sg_error *err);
/* SHA-256 of the first certificate of a PEM file, in hexadecimal. */
SG_MUST_USE const char *gw_fingerprint(struct gw *gw, const char *path, struct sg_error *err);

/* output.c: tables and fields for people, JSON for machines. What came from elsewhere reaches the
 * terminal without control characters. */
/* The members of an object, a line each; steals value. NULL passes an error on. */
SG_MUST_USE bool gw_show(const struct gw *gw, json_t *value);
/* Every item of a list, --limit of them at most (100). */
SG_MUST_USE bool gw_list(struct gw *gw, const char *path, const struct gw_column *columns,
                         struct sg_error *err);
/* The same, with each item made ready for the table first. */
SG_MUST_USE bool gw_list_each(struct gw *gw, const char *path, const struct gw_column *columns,
                              void (*each)(struct sg_arena *arena, json_t *item),
                              struct sg_error *err);
/* The items themselves, for what makes something else of them; NULL after an error. */
SG_MUST_USE json_t *gw_items(struct gw *gw, const char *path, long limit, bool *more_r,
                             struct sg_error *err);
/* A value as text: strings as they are, null as "-". */
const char *gw_text(struct sg_arena *arena, const json_t *value);
/* Without control characters. */
void gw_print(FILE *out, const char *text);
/* A line for people, nothing with --json. */
void gw_say(const struct gw *gw, const char *fmt, ...) SG_PRINTF(2, 3);

static inline void gw_json_release(json_t **value)
{
    json_decref(*value);
}
#define GW_AUTO_JSON __attribute__((cleanup(gw_json_release))) json_t *

#endif
