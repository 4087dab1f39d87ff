/* gatewayd: the message path. Wires settings to services; everything else lies in the folders. */
#include "services.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/log.h"

#include <malloc.h>

static void level_apply(const struct settings *s)
{
    sg_log_level_set((enum sg_log_level)s->log_level);
}

int main(int argc, char **argv)
{
    static struct settings settings;
    const struct sg_daemon_spec spec = {
        .name = "gatewayd",
        .options = settings_options,
        .option_count = settings_option_count,
        .settings = &settings,
        .check = settings_check,
    };
    struct sg_error err = {0};
    struct services *services = NULL;
    int status = sg_daemon_begin(&spec, argc, argv);
    if (status >= 0)
        return status;
    level_apply(&settings);
    /* Message buffers are reused rather than given back and faulted in again (FACTS). */
    mallopt(M_MMAP_THRESHOLD, 8 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    if (!sg_clock_set_file(settings.clock_file, &err) ||
        !services_start(&settings, &services, &err)) {
        sg_log_error(SG_LOG_ERROR, "start.failed", &err, NULL);
        return 1;
    }
    sg_daemon_ready();
    sg_log(SG_LOG_INFO, "started", "version", SG_VERSION, "node", settings.node, NULL);
    while (sg_daemon_wait() == SG_DAEMON_RELOAD)
        sg_log(SG_LOG_INFO, "reload", "effect", "log rotation is the service manager's", NULL);
    sg_log(SG_LOG_INFO, "stopping", NULL);
    services_stop(&services);
    sg_config_free(settings_options, settings_option_count, &settings);
    return 0;
}
