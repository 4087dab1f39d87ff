#include "monitor/monitor.h"

#include <string.h>

bool sg_monitor_address_check(const char *address, struct sg_error *err)
{
    if (!*address || strncmp(address, "unix:/", 6) == 0)
        return true;
    const char *colon = strrchr(address, ':');
    if (strncmp(address, "inet:", 5) != 0 || !colon || colon == address + 4 || !colon[1] ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return sg_fail(err, SG_E_CONFIG,
                       "listen in [ops]: neither inet:ADDRESS:PORT nor "
                       "unix:/PATH: %.100s",
                       address);
    return true;
}
