#include "reporting/build.h"

#include <string.h>

static const struct sg_report_kind kinds[] = {
    {"availability", "Availability report", false, sg_report_availability},
    {"breach", "Breach report", true, sg_report_breach},
    {"compliance", "Compliance report", true, sg_report_compliance},
    {"service", "Service report", false, sg_report_service},
    {"usage", "Usage report", false, sg_report_usage},
};

const struct sg_report_kind *sg_report_kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}
