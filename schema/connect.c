#include "schema/conn.h"

#include "common/secret.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define GRACE_MS 5000 /* beyond statement_timeout, until the connection is given up */
#define OWN      4    /* keys of ours beside those of conninfo */

/* Notices ("already exists, skipping") are for people at psql. */
static void notice_ignore(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* What conninfo says of a key, as a list with commas; "" where it says nothing. */
static const char *list_of(const PQconninfoOption *parsed, const char *keyword)
{
    for (; parsed->keyword; parsed++)
        if (strcmp(parsed->keyword, keyword) == 0)
            return parsed->val ? parsed->val : "";
    return "";
}

static int list_count(const char *list)
{
    int count = 1;
    for (; (list = strchr(list, ',')); list++)
        count++;
    return count;
}

/* How many hosts there are to try. 1 too where the lists do not fit: libpq says so. */
static int host_count(const PQconninfoOption *parsed)
{
    int names = list_count(list_of(parsed, "host"));
    int addresses = list_count(list_of(parsed, "hostaddr"));
    int ports = list_count(list_of(parsed, "port"));
    int hosts = *list_of(parsed, "hostaddr") ? addresses : names;
    bool fit = (hosts == names || !*list_of(parsed, "host")) && (ports == 1 || ports == hosts);
    return fit ? hosts : 1;
}

/* Leaves the item alone that stands there; a list of one goes for all. */
static void list_pick(char *list, int index)
{
    char *item = list;
    if (list_count(list) == 1)
        return;
    while (index-- > 0)
        item = strchr(item, ',') + 1;
    size_t len = strcspn(item, ",");
    memmove(list, item, len);
    list[len] = 0;
}

/* Leaves that host alone of all that conninfo names. */
static void host_pick(PQconninfoOption *parsed, int index)
{
    for (; parsed->keyword; parsed++)
        if (parsed->val &&
            (strcmp(parsed->keyword, "host") == 0 || strcmp(parsed->keyword, "hostaddr") == 0 ||
             strcmp(parsed->keyword, "port") == 0))
            list_pick(parsed->val, index);
}

static bool password_read(const struct sg_db_options *options, struct sg_secret *secret,
                          struct sg_error *err)
{
    if (!options->password_file || !*options->password_file)
        return true;
    if (!sg_secret_read(secret, options->password_file, err))
        return false;
    if (memchr(secret->data, 0, secret->len) || secret->len == sizeof secret->data)
        return sg_fail(err, SG_E_CONFIG, "%s: not a password", options->password_file);
    secret->data[secret->len] = 0;
    return true;
}

static PGconn *connect_start(const struct sg_db_options *options, const PQconninfoOption *parsed,
                             struct sg_error *err)
{
    SG_AUTO_SECRET secret = {0};
    if (!password_read(options, &secret, err))
        return NULL;
    /* A process that is frozen in the midst of a transaction must not keep its locks, nor a host
     * that is gone its sessions. */
    char settings[400];
    snprintf(settings, sizeof settings,
             "-c statement_timeout=%lld -c idle_in_transaction_session_timeout=%lld "
             "-c tcp_keepalives_idle=60 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3 "
             "-c search_path=sealgate -c timezone=UTC -c bytea_output=hex -c datestyle=ISO",
             (long long)options->statement_timeout_ms, (long long)options->statement_timeout_ms);
    size_t count = 0, n = 0;
    while (parsed[count].keyword)
        count++;
    const char **keys = calloc(2 * (count + OWN + 1), sizeof *keys);
    if (!keys) {
        sg_fail(err, SG_E_NO_MEMORY, "out of memory");
        return NULL;
    }
    const char **values = keys + count + OWN + 1;
    for (; n < count; n++) {
        keys[n] = parsed[n].keyword;
        values[n] = parsed[n].val; /* NULL: not given */
    }
    const char *own[OWN][2] = {{"application_name", options->application},
                               {"options", settings},
                               {"client_encoding", "UTF8"},
                               {"password", secret.len > 0 ? (const char *)secret.data : NULL}};
    for (size_t i = 0; i < OWN; i++, n++) {
        keys[n] = own[i][0];
        values[n] = own[i][1];
    }
    PGconn *pg = PQconnectStartParams(keys, values, 0);
    free(keys);
    if (!pg)
        sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    else
        PQsetNoticeReceiver(pg, notice_ignore, NULL);
    return pg;
}

/* Connects to what parsed says. */
static bool open_one(const struct sg_db_options *options, const PQconninfoOption *parsed,
                     sg_deadline deadline, struct sg_conn *conn, struct sg_error *err)
{
    conn->pg = connect_start(options, parsed, err);
    bool ok = conn->pg != NULL;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    if (ok && PQstatus(conn->pg) == CONNECTION_BAD)
        ok = sg_conn_fail(conn, "connecting", err);
    while (ok && status != PGRES_POLLING_OK) {
        ok = sg_conn_wait(conn, "connecting", status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                          deadline, err);
        if (ok && (status = PQconnectPoll(conn->pg)) == PGRES_POLLING_FAILED)
            ok = sg_conn_fail(conn, "connecting", err);
    }
    return ok && (PQsetnonblocking(conn->pg, 1) == 0 || sg_conn_fail(conn, "connecting", err));
}

/*
 * libpq has connect_timeout for each host in its blocking calls alone: given all of them at once it
 * would spend the whole time on the first that does not answer, and each time again.
 */
static bool open_any(const struct sg_db_options *options, struct sg_conn *conn,
                     struct sg_error *err)
{
    sg_deadline deadline = sg_deadline_in(options->wait_ms);
    bool ok = false;
    for (int i = 0, hosts = 1; !ok && i < hosts; i++) {
        PQconninfoOption *parsed = PQconninfoParse(options->conninfo, NULL);
        if (!parsed)
            return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
        hosts = host_count(parsed);
        if (hosts > 1)
            host_pick(parsed, i);
        PQfinish(conn->pg);
        conn->broken = false;
        ok = open_one(options, parsed, sg_deadline_in(sg_deadline_left(deadline) / (hosts - i)),
                      conn, err);
        PQconninfoFree(parsed);
    }
    return ok;
}

bool sg_conn_open(const struct sg_db_options *options, struct sg_conn **conn_r,
                  struct sg_error *err)
{
    struct sg_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    conn->call_ms = options->statement_timeout_ms ? options->statement_timeout_ms + GRACE_MS : 0;
    if (!open_any(options, conn, err)) {
        sg_conn_close(&conn);
        return false;
    }
    *conn_r = conn;
    return true;
}
