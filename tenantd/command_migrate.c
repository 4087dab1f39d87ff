#include "commands.h"

#include "common/log.h"
#include "schema/migrate.h"
#include "settings.h"

#include <stdio.h>

int command_migrate(int argc, char **argv)
{
    struct settings settings = {0};
    struct sg_daemon_spec spec = settings_spec(&settings);
    int status = sg_daemon_begin(&spec, argc, argv);
    if (status < 0) {
        struct sg_db_options owner;
        struct sg_error err = {0};
        int applied = 0;
        status = 0;
        if (!settings_owner(&settings, &owner, &err) ||
            !sg_migrate(&owner, settings.lock_timeout_ms, sg_clock_now(), &applied, &err)) {
            fprintf(stderr, "tenantd migrate: %s\n", err.detail);
            status = err.code == SG_E_CONFIG ? 2 : 1;
        } else {
            printf("%d applied\n", applied);
        }
    }
    sg_config_free(spec.options, spec.option_count, &settings);
    return status;
}
