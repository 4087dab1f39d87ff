#include "common/log.h"

#include "common/buf.h"
#include "common/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_LIMIT  8192
#define VALUE_LIMIT 1024 /* octets of a value; the rest is cut off */

/* The level may change (reload) while others log. */
static struct {
    const char *daemon;
    atomic_int level;
    bool journal;
} state = {"sealgate", SG_LOG_INFO, false};

static const char *const names[] = {"debug", "info", "warning", "error"};
/* In front of a line in the journal, which takes it off and keeps it as PRIORITY (sd-daemon(3)). */
static const char *const priorities[] = {"<7>", "<6>", "<4>", "<3>"};

/* JOURNAL_STREAM is inherited by those too whose stderr is something else (systemd.exec(5)). */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    char more;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu%c", &device, &inode, &more) == 2 &&
           fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void sg_log_init(const char *daemon, enum sg_log_level level)
{
    state.daemon = daemon;
    state.journal = is_journal(STDERR_FILENO);
    atomic_store(&state.level, (int)level);
}

void sg_log_level_set(enum sg_log_level level)
{
    atomic_store(&state.level, (int)level);
}

bool sg_log_level_parse(const char *name, enum sg_log_level *level_r)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *level_r = (enum sg_log_level)i;
            return true;
        }
    }
    return false;
}

/* A field that does not fit is left out whole, so that the line stays JSON. */
static void field_add(struct sg_buf *line, const char *key, const char *value)
{
    size_t before = line->len;
    struct sg_bytes cut = sg_bytes_slice(sg_bytes_str(value), 0, VALUE_LIMIT);
    if (!sg_buf_adds(line, ",") || !sg_buf_add_json_string(line, sg_bytes_str(key)) ||
        !sg_buf_adds(line, ":") || !sg_buf_add_json_string(line, cut)) {
        line->len = before;
        line->data[before] = 0;
    }
}

static void line_begin(struct sg_buf *line, enum sg_log_level level, const char *event)
{
    char ts[SG_TIME_TEXT];
    sg_time_rfc3339(sg_clock_now(), ts);
    sg_buf_init(line, LINE_LIMIT);
    sg_buf_adds(line, state.journal ? priorities[level] : "");
    sg_buf_addf(line, "{\"ts\":\"%s\",\"level\":\"%s\"", ts, names[level]);
    field_add(line, "daemon", state.daemon);
    field_add(line, "event", event);
}

static void line_fields(struct sg_buf *line, va_list ap)
{
    const char *key;
    while ((key = va_arg(ap, const char *)) != NULL) {
        const char *value = va_arg(ap, const char *);
        if (value)
            field_add(line, key, value);
    }
}

static void line_end(struct sg_buf *line)
{
    line->limit = 0;
    sg_buf_adds(line, "}\n");
    /* One write a line, so that lines of threads and processes do not mix. */
    ssize_t n = write(STDERR_FILENO, line->data, line->len);
    (void)n; /* nowhere to report to */
    sg_buf_free(line);
}

void sg_log(enum sg_log_level level, const char *event, ...)
{
    if ((int)level < atomic_load(&state.level))
        return;
    struct sg_buf line;
    va_list ap;
    line_begin(&line, level, event);
    va_start(ap, event);
    line_fields(&line, ap);
    va_end(ap);
    line_end(&line);
}

void sg_log_error(enum sg_log_level level, const char *event, const struct sg_error *err, ...)
{
    static const char *const libs[] = {"",    "errno", "openssl", "x509", "pkcs11",
                                       "sql", "ldap",  "curl",    "smtp"};
    if ((int)level < atomic_load(&state.level))
        return;
    struct sg_buf line;
    va_list ap;
    line_begin(&line, level, event);
    field_add(&line, "error", sg_error_name(err->code));
    field_add(&line, "detail", err->detail);
    if (err->lib == SG_LIB_SQL)
        field_add(&line, "sqlstate", err->sqlstate);
    else if (err->lib != SG_LIB_NONE)
        field_add(&line, libs[err->lib], sg_log_num(err->lib_code));
    va_start(ap, err);
    line_fields(&line, ap);
    va_end(ap);
    line_end(&line);
}

const char *sg_log_num(int64_t n)
{
    static _Thread_local char ring[16][24];
    static _Thread_local unsigned at;
    char *s = ring[at++ % 16];
    snprintf(s, sizeof ring[0], "%lld", (long long)n);
    return s;
}
