/* gatewayd: the message path. Wires settings to services; everything else lies in the folders. */
#include "services.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/log.h"
#include "confine/confine.h"
#include "policy/policy.h"

#include <malloc.h>
#include <string.h>
#include <sys/sysinfo.h>

static void level_apply(const struct settings *s)
{
    sg_log_level_set((enum sg_log_level)s->log_level);
}

/* Test builds alone: a rule that is passed over, so that a mail reaches the end of the rules. */
static bool rule_switch(const char *name, struct sg_error *err)
{
#ifdef SG_RULE_SWITCH
    for (size_t i = 0; i < sg_policy_rule_count_outbound(); i++)
        if (strcmp(sg_policy_rule_name_outbound(i), name) == 0)
            sg_policy_rule_off_outbound = (int)i;
    for (size_t i = 0; i < sg_policy_rule_count_inbound(); i++)
        if (strcmp(sg_policy_rule_name_inbound(i), name) == 0)
            sg_policy_rule_off_inbound = (int)i;
    (void)err;
    return true;
#else
    return !*name || sg_fail(err, SG_E_CONFIG, "rule_off: this build has all rules");
#endif
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
    mallopt(M_ARENA_MAX,
            get_nprocs() < 2 ? 2 : get_nprocs()); /* each keeps what it was given back */
    if (!sg_clock_set_file(settings.clock_file, &err) || !rule_switch(settings.rule_off, &err) ||
        !services_start(&settings, &services, &err)) {
        sg_log_error(SG_LOG_ERROR, "start.failed", &err, NULL);
        return 1;
    }
    if (settings.confine &&
        !sg_confine(SG_CONFINE_NETWORK | SG_CONFINE_SPAWN | SG_CONFINE_CLOCK, &err)) {
        sg_log_error(SG_LOG_ERROR, "start.failed", &err, NULL);
        services_stop(&services);
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
