#include "schema/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

struct rule {
    const char *prefix; /* of the SQLSTATE; the first that fits counts */
    enum sg_error_code code;
    bool broken, stale;
};

static const struct rule rules[] = {
    {"23505", SG_E_CONFLICT, false, false},
    {"23P01", SG_E_CONFLICT, false, false},
    {"23", SG_E_INVALID, false, false},
    {"22", SG_E_INVALID, false, false},
    {"42501", SG_E_FORBIDDEN, false, false},
    {"40", SG_E_BUSY, false, false}, /* serialization failure, deadlock */
    {"55P03", SG_E_BUSY, false, false},
    {"57014", SG_E_TIMEOUT, false, false},
    {"08", SG_E_DB_UNAVAILABLE, true, false},
    {"57P", SG_E_DB_UNAVAILABLE, true, false},
    {"53", SG_E_DB_UNAVAILABLE, false, false},
    {"25006", SG_E_DB_UNAVAILABLE, true, false}, /* a standby: the primary is elsewhere now */
    {"28", SG_E_DB_UNAVAILABLE, true, false},
    {"0A000", SG_E_SCHEMA, true, true}, /* a cached plan whose result changed */
    {"26000", SG_E_SCHEMA, true, true},
    {"3F", SG_E_SCHEMA, false, false},
    {"42P01", SG_E_SCHEMA, false, false},
    {"42703", SG_E_SCHEMA, false, false},
    {"42883", SG_E_SCHEMA, false, false},
};

/* libpq's texts end in newlines and may have several lines. */
static void first_line(const char *text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* what is a name, so that the text says which query it was. */
static bool fail_result(struct sg_conn *conn, const char *what, const PGresult *result,
                        struct sg_error *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    if (!state) {
        char line[160];
        first_line(PQerrorMessage(conn->pg), line, sizeof line);
        conn->broken = true;
        return sg_fail(err, SG_E_DB_UNAVAILABLE, "%s: %s", what, line);
    }
    /* A check without a name is that of partitions: the month's is still to come. */
    if (strcmp(state, "23514") == 0 && !constraint)
        state = "53";
    const struct rule *rule = NULL;
    for (size_t i = 0; !rule && i < sizeof rules / sizeof rules[0]; i++)
        if (strncmp(state, rules[i].prefix, strlen(rules[i].prefix)) == 0)
            rule = &rules[i];
    if (rule) {
        conn->broken |= rule->broken;
        conn->stale |= rule->stale;
    }
    sg_fail_lib(err, rule ? rule->code : SG_E_DB_QUERY, SG_LIB_SQL, 0, "%s: %.150s%s%.63s", what,
                primary ? primary : "", constraint ? ": " : "", constraint ? constraint : "");
    if (err)
        snprintf(err->sqlstate, sizeof err->sqlstate, "%s",
                 PQresultErrorField(result, PG_DIAG_SQLSTATE));
    return false;
}

bool sg_conn_fail(struct sg_conn *conn, const char *what, struct sg_error *err)
{
    char line[160];
    first_line(PQerrorMessage(conn->pg), line, sizeof line);
    conn->broken = true;
    return sg_fail(err, SG_E_DB_UNAVAILABLE, "%s: %s", what, line);
}

bool sg_conn_wait(struct sg_conn *conn, const char *what, short events, sg_deadline deadline,
                  struct sg_error *err)
{
    struct pollfd fd = {.fd = PQsocket(conn->pg), .events = events};
    for (;;) {
        int left = deadline ? sg_deadline_left(deadline) : -1;
        int n = left == 0 ? 0 : poll(&fd, 1, left);
        if (n > 0)
            return true;
        if (n < 0 && errno == EINTR)
            continue;
        conn->broken = true;
        if (n < 0)
            return sg_fail_errno(err, SG_E_DB_UNAVAILABLE, "%s", what);
        if (sg_deadline_left(deadline) == 0)
            return sg_fail(err, SG_E_DB_UNAVAILABLE, "%s: the server does not answer", what);
    }
}

/* Sends what is queued and waits for the result of the command; the last one where a script gives
 * several, the first error where there is one. */
static bool conn_result(struct sg_conn *conn, const char *what, PGresult **result_r,
                        struct sg_error *err)
{
    sg_deadline deadline = conn->call_ms ? sg_deadline_in(conn->call_ms) : 0;
    PGresult *last = NULL;
    for (;;) {
        int unsent = PQflush(conn->pg);
        if (unsent < 0)
            goto lost;
        if (unsent == 0 && !PQisBusy(conn->pg)) {
            PGresult *next = PQgetResult(conn->pg);
            if (!next)
                break;
            bool failed = last && PQresultStatus(last) == PGRES_FATAL_ERROR;
            PQclear(failed ? next : last);
            last = failed ? last : next;
            continue;
        }
        if (!sg_conn_wait(conn, what, unsent ? POLLIN | POLLOUT : POLLIN, deadline, err)) {
            PQclear(last);
            return false;
        }
        if (!PQconsumeInput(conn->pg))
            goto lost;
    }
    ExecStatusType status = last ? PQresultStatus(last) : PGRES_FATAL_ERROR;
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) {
        *result_r = last;
        return true;
    }
    if (last)
        fail_result(conn, what, last, err);
    else
        sg_conn_fail(conn, what, err);
    PQclear(last);
    return false;
lost:
    PQclear(last);
    return sg_conn_fail(conn, what, err);
}

void sg_conn_close(struct sg_conn **conn)
{
    if (*conn) {
        PQfinish((*conn)->pg);
        free(*conn);
    }
    *conn = NULL;
}

bool sg_conn_script(struct sg_conn *conn, const char *sql, struct sg_error *err)
{
    PGresult *result = NULL;
    char what[32];
    first_line(sql, what, sizeof what);
    if (!PQsendQuery(conn->pg, sql))
        return sg_conn_fail(conn, what, err);
    if (!conn_result(conn, what, &result, err))
        return false;
    PQclear(result);
    return true;
}

static bool conn_prepare(struct sg_conn *conn, enum sg_query query, struct sg_error *err)
{
    const struct sg_embedded_query *q = &sg_embedded_queries[query];
    PGresult *result = NULL;
    if (!PQsendPrepare(conn->pg, q->name, q->sql, 0, NULL))
        return sg_conn_fail(conn, q->name, err);
    if (!conn_result(conn, q->name, &result, err))
        return false;
    PQclear(result);
    conn->prepared[query] = true;
    return true;
}

bool sg_conn_query(struct sg_conn *conn, enum sg_query query, const struct sg_params *params,
                   struct sg_rows *rows, struct sg_error *err)
{
    static const struct sg_params none;
    const struct sg_params *p = params ? params : &none;
    const char *name = sg_embedded_queries[query].name;
    PGresult *result = NULL;
    if (!conn->prepared[query] && !conn_prepare(conn, query, err))
        return false;
    if (!PQsendQueryPrepared(conn->pg, name, p->count, p->values, p->lengths, p->formats, 1))
        return sg_conn_fail(conn, name, err);
    if (!conn_result(conn, name, &result, err))
        return false;
    if (rows) {
        sg_rows_clear(rows);
        rows->result = result;
        rows->count = PQntuples(result);
        rows->affected = (int)strtol(PQcmdTuples(result), NULL, 10);
    } else {
        PQclear(result);
    }
    return true;
}
