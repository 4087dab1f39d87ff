/*
 * hsmd: private-key operations over a Unix socket. Holds the token's PIN and sessions; has no
 * network, no mail and no database. See README.md.
 */
#include "common/daemon.h"
#include "common/log.h"
#include "hsm/metrics.h"
#include "hsm/server.h"
#include "hsm/settings.h"
#include "monitor/monitor.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

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
    return chown(path, (uid_t)-1, gid) == 0 || sg_fail_errno(err, SG_E_CONFIG, "chown %s", path);
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

/* SIGHUP: rules and log level anew, the PIN read again, the login renewed. */
static void reload(const char *path, struct sg_server *server, struct sg_pool *pool)
{
    struct sg_hsmd_settings s = {0};
    struct sg_access access;
    struct sg_error err = {0};
    if (sg_config_load(path, sg_hsmd_options, sg_hsmd_option_count, &s, &err) &&
        sg_hsmd_settings_check(&s, &err) && sg_access_parse(s.rules, &access, &err)) {
        sg_server_access_set(server, &access);
        sg_log_level_set((enum sg_log_level)s.log_level);
        if (sg_pool_reopen(pool, &err))
            sg_log(SG_LOG_INFO, "hsm.reloaded", NULL);
    }
    if (err.code != SG_OK)
        sg_log_error(SG_LOG_ERROR, "hsm.reload-failed", &err, NULL);
    sg_config_free(sg_hsmd_options, sg_hsmd_option_count, &s);
}

static const char *config_path(int argc, char **argv)
{
    const char *path = "";
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "-c") == 0)
            path = argv[i + 1];
    return path;
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
    return sg_ops_run(o->ops, &health, &o->result, err);
}

static void collect(void *arg)
{
    const struct operation *o = arg;
    sg_hsm_metrics_collect(o->pool);
}

static bool monitor_start(const struct sg_hsmd_settings *s, struct operation *o,
                          struct sg_monitor **monitor_r, struct sg_error *err)
{
    static struct sg_metric *const *const metrics[] = {sg_hsm_metrics, NULL};
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

static bool serve(const struct sg_hsmd_settings *s, const char *path, struct sg_pool *pool,
                  struct sg_ops *ops, struct sg_error *err)
{
    struct sg_access access;
    struct sg_server *server;
    struct sg_server_options options = {.max_connections = (int)s->max_connections,
                                        .connections_per_user = (int)s->connections_per_user,
                                        .request_timeout_ms = s->request_timeout,
                                        .idle_timeout_ms = s->idle_timeout};
    static struct operation operation;
    struct sg_monitor *monitor = NULL;
    operation.pool = pool;
    operation.ops = ops;
    if (!sg_access_parse(s->rules, &access, err) || !monitor_start(s, &operation, &monitor, err) ||
        !listen_on(s, &options.fd, err) || !sg_server_start(&options, ops, &access, &server, err)) {
        sg_monitor_stop(&monitor);
        return false;
    }
    sg_log(SG_LOG_INFO, "hsm.started", "socket", s->socket, NULL);
    sg_daemon_ready();
    while (sg_daemon_wait() == SG_DAEMON_RELOAD)
        reload(path, server, pool);

    char counters[4096];
    sg_monitor_leave(monitor);
    bool ended = sg_server_stop(&server, s->request_timeout);
    sg_ops_counters(ops, counters, sizeof counters);
    sg_log(SG_LOG_INFO, "hsm.stopped", "counters", counters, NULL);
    if (!ended) {
        sg_log(SG_LOG_WARNING, "hsm.stopped-in-flight", NULL);
        _exit(1); /* a thread is still in the module: it must not be unloaded under it */
    }
    sg_monitor_stop(&monitor);
    return true;
}

int main(int argc, char **argv)
{
    struct sg_hsmd_settings s = {0};
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
    struct sg_error err = {0};
    struct sg_module module;
    if (!sg_module_open(&module, s.module, &err)) {
        sg_log_error(SG_LOG_ERROR, "hsm.failed-to-start", &err, NULL);
        return 1;
    }
    struct sg_pool_options pool_options = {.module = &module,
                                           .token = sg_hsmd_token(&s),
                                           .pin_file = s.pin_file,
                                           .sessions = (int)s.sessions,
                                           .wait_ms = s.session_wait,
                                           .retry_ms = s.retry};
    struct sg_keystore_options store_options = sg_hsmd_keystore(&s);
    struct sg_pool *pool = sg_pool_new(&pool_options);
    struct sg_keystore *store = sg_keystore_new(&store_options);
    struct sg_ops *ops = sg_ops_new(pool, store);
    /* A wrong PIN or configuration ends us (status 2: not to be restarted); an HSM that is away
     * does not, it may come back. */
    status = sg_pool_reopen(pool, &err) || err.code != SG_E_CONFIG ? 0 : 2;
    if (status == 0 && !serve(&s, config_path(argc, argv), pool, ops, &err))
        status = 1;
    if (status != 0)
        sg_log_error(SG_LOG_ERROR, "hsm.failed-to-start", &err, NULL);
    sg_ops_free(&ops);
    sg_pool_free(&pool);
    sg_keystore_free(&store);
    sg_module_close(&module);
    sg_config_free(sg_hsmd_options, sg_hsmd_option_count, &s);
    return status;
}
