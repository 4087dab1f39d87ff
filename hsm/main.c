/*
 * hsmd: private-key operations over a Unix socket. Holds the token's PIN and sessions; has no
 * network, no mail and no database. See README.md.
 */
#include "common/daemon.h"
#include "common/key_types.h"
#include "common/log.h"
#include "confine/confine.h"
#include "hsm/guard.h"
#include "hsm/metrics.h"
#include "hsm/server.h"
#include "hsm/settings.h"
#include "monitor/monitor.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* What runs, and ends in the reverse order. */
struct hsmd {
    struct sg_module module;
    struct sg_pool *pool;
    struct sg_keystore *store;
    struct sg_ops *ops;
    struct sg_monitor *monitor;
    struct sg_server *server;
    struct sg_guard *guard;
};

static bool group_set(const char *path, const char *group, struct sg_error *err)
{
    char *end;
    if (!group[0])
        return true;
    gid_t gid = (gid_t)strtoul(group, &end, 10);
    if (*end) {
        struct group *gr = getgrnam(group);
        if (!gr)
            return sg_fail(err, SG_E_CONFIG, "socket_group: no such group: %s", group);
        gid = gr->gr_gid;
    }
    struct stat st;
    if (stat(path, &st) == 0 && st.st_gid == gid)
        return true;
    return chown(path, (uid_t)-1, gid) == 0 || sg_fail_errno(err, SG_E_CONFIG, "chown %s", path);
}

/* Keys and the PIN are not written into swap: all of its memory is locked, as it comes to be used.
 * With a limit, memory beyond it could not be had at all. */
static void memory_lock(void)
{
    struct rlimit limit;
    const char *why = "RLIMIT_MEMLOCK is not unlimited";
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
        why = mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0 ? NULL : strerror(errno);
    sg_hsm_show_memory(!why);
    if (why)
        sg_log(SG_LOG_WARNING, "hsm.memory-not-locked", "reason", why, NULL);
}

static bool listen_on(const struct sg_hsmd_settings *s, int *fd_r, struct sg_error *err)
{
    const char *path = strncmp(s->socket, "unix:", 5) == 0 ? s->socket + 5 : s->socket;
    char address[256];
    if (path[0] != '/' || snprintf(address, sizeof address, "unix:%s", path) >= 200)
        return sg_fail(err, SG_E_CONFIG, "socket: an absolute path is wanted");
    if (!sg_io_listen(address, sg_hsmd_socket_mode(s), 128, fd_r, err))
        return false;
    if (group_set(path, s->socket_group, err))
        return true;
    close(*fd_r);
    return false;
}

/* SIGHUP: rules, log level and key-encryption keys anew, the PIN read again, the login renewed. */
static void reload(const struct sg_daemon_spec *spec, struct hsmd *h)
{
    struct sg_hsmd_settings s = {0};
    struct sg_access access;
    struct sg_error err = {0};
    if (sg_daemon_reread(spec, &s, &err) && sg_access_parse(s.rules, &access, &err)) {
        sg_server_access_set(h->server, &access);
        sg_log_level_set((enum sg_log_level)s.log_level);
        sg_keystore_renew(h->store);
        if (sg_pool_reopen(h->pool, sg_deadline_in(s.answer_timeout), &err))
            sg_log(SG_LOG_INFO, "hsm.reloaded", NULL);
    }
    if (err.code != SG_OK)
        sg_log_error(SG_LOG_ERROR, "hsm.reload-failed", &err, NULL);
    sg_config_free(sg_hsmd_options, sg_hsmd_option_count, &s);
}

struct operation {
    struct sg_pool *pool;
    struct sg_ops *ops;
    struct sg_result result; /* of the check's thread */
};

static bool token_check(void *arg, struct sg_error *err)
{
    struct operation *o = arg;
    const struct sg_hsm_request health = {.op = SG_HSM_OP_HEALTH};
    return sg_ops_run(o->ops, &health, sg_ops_deadline(o->ops, health.op), &o->result, err);
}

static void collect(void *arg)
{
    const struct operation *o = arg;
    sg_hsm_metrics_collect(o->pool);
}

static bool monitor_start(const struct sg_hsmd_settings *s, struct operation *o,
                          struct sg_monitor **monitor_r, struct sg_error *err)
{
    static struct sg_metric *const *const metrics[] = {sg_hsm_metrics, sg_confine_metrics, NULL};
    const struct sg_monitor_part parts[] = {{.name = "token", .check = token_check, .ctx = o}};
    const struct sg_monitor_options options = {.listen = s->ops_listen,
                                               .socket_mode = sg_hsmd_socket_mode(s),
                                               .parts = parts,
                                               .part_count = 1,
                                               .metrics = metrics,
                                               .collect = collect,
                                               .collect_ctx = o};
    return sg_monitor_start(&options, monitor_r, err) &&
           (!*s->ops_listen || group_set(s->ops_listen + strlen("unix:"), s->socket_group, err));
}

static void hsmd_open(struct hsmd *h, const struct sg_hsmd_settings *s)
{
    struct sg_pool_options pool_options = {.module = &h->module,
                                           .token = sg_hsmd_token(s),
                                           .pin_file = s->pin_file,
                                           .sessions = (int)s->sessions,
                                           .wait_ms = s->session_wait,
                                           .retry_ms = s->retry,
                                           .hang_ms = s->answer_timeout};
    struct sg_keystore_options store_options = sg_hsmd_keystore(s);
    h->pool = sg_pool_new(&pool_options);
    h->store = sg_keystore_new(&store_options);
    const struct sg_ops_options ops_options = {.pool = h->pool,
                                               .store = h->store,
                                               .answer_ms = s->answer_timeout,
                                               .generate_ms = s->generate_timeout};
    h->ops = sg_ops_new(&ops_options);
}

static bool serve_start(struct hsmd *h, const struct sg_hsmd_settings *s, struct sg_error *err)
{
    static struct operation operation;
    struct sg_access access;
    struct sg_server_options options = {.max_connections = (int)s->max_connections,
                                        .connections_per_user = (int)s->connections_per_user,
                                        .request_timeout_ms = s->request_timeout,
                                        .idle_timeout_ms = s->idle_timeout,
                                        .stuck_ms = s->generate_timeout + 2 * s->replace};
    operation.pool = h->pool;
    operation.ops = h->ops;
    if (!sg_access_parse(s->rules, &access, err) || !listen_on(s, &options.fd, err) ||
        !sg_server_start(&options, h->ops, &access, &h->server, err))
        return false;
    const struct sg_guard_options guard = {.server = h->server,
                                           .pool = h->pool,
                                           .answer_ms = s->answer_timeout,
                                           .replace_ms = s->replace};
    return sg_guard_start(&guard, &h->guard, err) && monitor_start(s, &operation, &h->monitor, err);
}

/* false: a thread is still in the module, which must not be unloaded under it. */
static bool serve_stop(struct hsmd *h, const struct sg_hsmd_settings *s)
{
    char counters[4096];
    bool ended = !h->server || sg_server_stop(h->server, s->request_timeout);
    sg_ops_counters(h->ops, counters, sizeof counters);
    sg_log(SG_LOG_INFO, "hsm.stopped", "counters", counters, NULL);
    if (h->guard)
        sg_guard_stop(&h->guard);
    if (!ended || !sg_pool_close(h->pool, sg_deadline_in(s->session_wait)))
        return false;
    sg_monitor_stop(&h->monitor); /* its look at the token has ended too */
    if (h->server)
        sg_server_free(&h->server);
    return true;
}

static void hsmd_free(struct hsmd *h)
{
    sg_ops_free(&h->ops);
    sg_pool_free(&h->pool);
    sg_keystore_free(&h->store);
    sg_module_close(&h->module);
}

/* What hsmd knows, and what SoftHSM unwraps. */
static void key_types_set(const struct sg_hsmd_settings *s)
{
    static const char *const types[] = {"RSA", "RSA-PSS", "EC", NULL};
    struct sg_error err = {0};
    if (s->key_types == SG_HSMD_KEYS_OWN && !sg_key_types_set(types, &err))
        sg_log_error(SG_LOG_WARNING, "openssl.key-types", &err, NULL); /* slower, no more */
}

/* The module is loaded, what listens listens. */
static bool confine(const struct sg_hsmd_settings *s, struct sg_error *err)
{
    return s->confine == SG_HSMD_NOT_CONFINED ||
           sg_confine(s->confine == SG_HSMD_CONFINED_NETWORK ? SG_CONFINE_NETWORK : 0, err);
}

/* The exit status: 2, of a PIN that the token refused, is not to be restarted; 1 is. */
static int run(struct hsmd *h, const struct sg_hsmd_settings *s, const struct sg_daemon_spec *spec)
{
    struct sg_error err = {0};
    bool replaced = false;
    /* A wrong PIN or configuration ends us; an HSM that is away or hangs does not, it may come
     * back. */
    int status = 0;
    if (!sg_pool_reopen(h->pool, sg_deadline_in(s->answer_timeout), &err) &&
        err.code == SG_E_CONFIG)
        status = sg_token_pin_refused(&err) ? 2 : 1;
    else if (!serve_start(h, s, &err) || !confine(s, &err))
        status = 1;
    if (status != 0) {
        sg_log_error(SG_LOG_ERROR, "hsm.failed-to-start", &err, NULL);
    } else {
        sg_log(SG_LOG_INFO, "hsm.started", "socket", s->socket, NULL);
        sg_daemon_ready();
        while (sg_daemon_wait() == SG_DAEMON_RELOAD)
            reload(spec, h);
        sg_monitor_leave(h->monitor);
        replaced = sg_guard_replaces(h->guard);
    }
    if (!serve_stop(h, s)) {
        sg_log(SG_LOG_WARNING, "hsm.stopped-in-flight", NULL);
        _exit(status ? status : 1);
    }
    return replaced ? 1 : status;
}

int main(int argc, char **argv)
{
    struct sg_hsmd_settings s = {0};
    struct hsmd h = {0};
    struct sg_daemon_spec spec = {.name = "hsmd",
                                  .options = sg_hsmd_options,
                                  .option_count = sg_hsmd_option_count,
                                  .settings = &s,
                                  .check = sg_hsmd_settings_check};
    int status = sg_daemon_begin(&spec, argc, argv);
    if (status >= 0) {
        sg_config_free(sg_hsmd_options, sg_hsmd_option_count, &s);
        return status;
    }
    sg_log_level_set((enum sg_log_level)s.log_level);
    memory_lock();
    sg_daemon_batch();
    struct sg_error err = {0};
    key_types_set(&s);
    if (!sg_module_open(&h.module, s.module, &err)) {
        sg_log_error(SG_LOG_ERROR, "hsm.failed-to-start", &err, NULL);
        return 1;
    }
    hsmd_open(&h, &s);
    status = run(&h, &s, &spec);
    hsmd_free(&h);
    sg_config_free(sg_hsmd_options, sg_hsmd_option_count, &s);
    return status;
}
