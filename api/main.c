#include "api/metrics.h"
#include "api/router.h"
#include "api/server.h"

#include "common/daemon.h"
#include "common/log.h"
#include "confine/confine.h"
#include "monitor/monitor.h"

#include <stdio.h>
#include <stdlib.h>

static struct api_settings settings;

/* `apid --routes`: the table of routes, for the test that holds it against openapi.yaml. */
static int routes_print(void)
{
    json_t *routes = api_routes_describe();
    bool ok = json_dumpf(routes, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF;
    json_decref(routes);
    return ok ? 0 : 1;
}

static bool pool_open(const char *role, const char *password_file, struct sg_db **db_r,
                      struct sg_error *err)
{
    char conninfo[1024];
    int n = snprintf(conninfo, sizeof conninfo, "%s user=%s", settings.conninfo, role);
    if (n < 0 || (size_t)n >= sizeof conninfo)
        return sg_fail(err, SG_E_CONFIG, "conninfo is too long");
    const struct sg_db_options options = {
        .conninfo = conninfo,
        .password_file = password_file,
        .application = "apid",
        .actor = "apid",
        .connections = (int)settings.connections,
        .wait_ms = settings.wait,
        .statement_timeout_ms = settings.statement_timeout,
    };
    return sg_db_open(&options, db_r, err);
}

static void service_close(struct api_service *service)
{
    sg_db_close(&service->auth);
    sg_db_close(&service->api);
    sg_db_close(&service->provider);
    api_rate_free(&service->rate);
}

static bool service_open(struct api_service *service, struct sg_error *err)
{
    service->export_dir = settings.export_dir;
    service->crl_bypass_max_ms = settings.crl_bypass_max;
    service->simulation = settings.simulation;
    service->simulation_timeout_ms = settings.simulation_timeout;
    service->usage_table_ms = settings.usage_table_time;
    service->idempotency = (struct api_idempotency_options){.ttl_ms = settings.idempotency_ttl,
                                                            .wait_ms = settings.idempotency_wait};
    return api_rate_new(settings.rates, &service->rate, err) &&
           pool_open("sg_auth", settings.auth_password_file, &service->auth, err) &&
           pool_open("sg_api", settings.api_password_file, &service->api, err) &&
           pool_open("sg_provider", settings.provider_password_file, &service->provider, err);
}

static bool database_check(void *db, struct sg_error *err)
{
    return sg_db_health(db, err);
}

static void collect(void *service)
{
    api_metrics_collect(service);
}

static bool monitor_start(struct api_service *service, struct sg_monitor **monitor_r,
                          struct sg_error *err)
{
    static struct sg_metric *const *const metrics[] = {api_metrics, sg_confine_metrics, NULL};
    const struct sg_monitor_part parts[] = {
        {.name = "database as sg_auth", .check = database_check, .ctx = service->auth},
        {.name = "database as sg_api", .check = database_check, .ctx = service->api},
        {.name = "database as sg_provider", .check = database_check, .ctx = service->provider},
    };
    const struct sg_monitor_options options = {.listen = settings.ops_listen,
                                               .parts = parts,
                                               .part_count = sizeof parts / sizeof parts[0],
                                               .metrics = metrics,
                                               .collect = collect,
                                               .collect_ctx = service};
    return sg_monitor_start(&options, monitor_r, err);
}

static void reload(struct api_server *server)
{
    struct sg_error err = {0};
    if (!api_server_reload(server, &err))
        sg_log_error(SG_LOG_ERROR, "reload.failed", &err, NULL);
}

static bool serve(struct sg_error *err)
{
    struct api_service service = {0};
    struct api_server *server = NULL;
    struct sg_monitor *monitor = NULL;
    api_metrics_init();
    bool ok = service_open(&service, err) && monitor_start(&service, &monitor, err) &&
              api_server_start(&settings, &service, &server, err) &&
              (!settings.confine || sg_confine(SG_CONFINE_NETWORK, err));
    if (ok) {
        sg_log(SG_LOG_INFO, "started", "version", SG_VERSION, NULL);
        sg_daemon_ready();
        while (sg_daemon_wait() == SG_DAEMON_RELOAD)
            reload(server);
        sg_monitor_leave(monitor);
        api_server_stop(&server);
        sg_log(SG_LOG_INFO, "stopped", NULL);
    }
    api_server_stop(&server);
    sg_monitor_stop(&monitor);
    service_close(&service);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--routes") == 0)
        return routes_print();
    const struct sg_daemon_spec spec = {.name = "apid",
                                        .options = api_options,
                                        .option_count = api_option_count,
                                        .settings = &settings,
                                        .check = api_settings_check};
    int status = sg_daemon_begin(&spec, argc, argv);
    if (status >= 0)
        goto out;
    sg_log_level_set((enum sg_log_level)settings.log_level);

    struct sg_error err = {0};
    status = 0;
    if (!serve(&err)) {
        sg_log_error(SG_LOG_ERROR, "start.failed", &err, NULL);
        status = 1;
    }
out:
    sg_config_free(api_options, api_option_count, &settings);
    return status;
}
