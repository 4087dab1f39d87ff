/* gatewayd: the message path. Wires settings to services; everything else lies in the folders. */
#include "services.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/daemon.h"
#include "common/key_types.h"
#include "common/log.h"
#include "confine/confine.h"
#include "policy/policy.h"

#include <malloc.h>
#include <string.h>
#include <sys/sysinfo.h>

#define BEYOND_GRACE_MS                                                                            \
    5000 /* what hangs at a stop is cut off; with the grace less than the unit's TimeoutStopSec */

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

static void name_add(void *names, const struct sg_option *option)
{
    struct sg_buf *out = names;
    if (strcmp(option->section, "log") != 0)
        sg_buf_addf(out, "%s%s.%s", out->len ? ", " : "", option->section, option->name);
}

/* SIGHUP: the level of the log counts at once; says which other settings have changed, and wait
 * for a restart. */
static void reload(const struct sg_daemon_spec *spec, struct settings *in_use)
{
    struct settings fresh = {0};
    struct sg_error err = {0};
    SG_AUTO_BUF names = {0};
    if (sg_daemon_reread(spec, &fresh, &err)) {
        sg_config_compare(spec->options, spec->option_count, in_use, &fresh, name_add, &names);
        if (fresh.log_level < in_use->log_level) /* this is said at whichever tells more */
            sg_log_level_set((enum sg_log_level)fresh.log_level);
        sg_log(SG_LOG_INFO, "reloaded", "needs_restart", names.len ? (char *)names.data : NULL,
               NULL);
        in_use->log_level = fresh.log_level;
        level_apply(in_use);
    } else {
        sg_log_error(SG_LOG_ERROR, "reload.failed", &err, NULL);
    }
    sg_config_free(spec->options, spec->option_count, &fresh);
}

/* Those that a certificate may have, a correspondent's as much as a TLS server's. */
static const char *const key_types[] = {"RSA", "RSA-PSS", "EC", "ED25519", "ED448", NULL};

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
    sg_daemon_batch();
    /* Message buffers are reused rather than given back and faulted in again (FACTS). */
    mallopt(M_MMAP_THRESHOLD, 8 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_ARENA_MAX,
            get_nprocs() < 2 ? 2 : get_nprocs()); /* each keeps what it was given back */
    if (!sg_key_types_set(key_types, &err))
        sg_log_error(SG_LOG_WARNING, "openssl.key-types", &err, NULL); /* slower, no more */
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
    while (sg_daemon_wait() == SG_DAEMON_RELOAD) {
        reload(&spec, &settings);
        services_log_level(services, (int)settings.log_level);
    }
    sg_log(SG_LOG_INFO, "stopping", NULL);
    sg_daemon_stop_within(settings.stop_ms + BEYOND_GRACE_MS);
    services_stop(&services);
    sg_log(SG_LOG_INFO, "stopped", NULL);
    sg_config_free(settings_options, settings_option_count, &settings);
    return 0;
}
