/* Configuration files: whatever stands in one, values lie in their ranges or an error is told. */
#include "common/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct settings {
    char *name, *list;
    int64_t number, size, duration;
    bool flag;
    int choice;
};

static const char *const choices[] = {"debug", "info", "warning", NULL};

#define AT(field) offsetof(struct settings, field)
static const struct sg_option options[] = {
    {"a", "name", SG_OPT_STRING, AT(name), "x", 0, 0, NULL, "A name."},
    {"a", "list", SG_OPT_LIST, AT(list), "", 0, 0, NULL, "Some items."},
    {"a", "number", SG_OPT_INT, AT(number), "5", -10, 100, NULL, "A number."},
    {"b", "size", SG_OPT_SIZE, AT(size), "25m", 1024, (int64_t)4 << 30, NULL, "A size."},
    {"b", "duration", SG_OPT_DURATION, AT(duration), "30s", 1, 604800000, NULL, "A time."},
    {"b", "flag", SG_OPT_BOOL, AT(flag), "no", 0, 0, NULL, "Yes or no."},
    {"b", "choice", SG_OPT_ENUM, AT(choice), "info", 0, 0, choices, "One of some."},
};
#define COUNT (sizeof options / sizeof options[0])

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings s = {0};
    struct sg_error err = {0};
    char path[32];
    int fd = memfd_create("config", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (sg_config_load(path, options, COUNT, &s, &err)) {
        if (!s.name || !s.list || s.number < -10 || s.number > 100 || s.size < 1024 ||
            s.size > (int64_t)4 << 30 || s.duration < 1 || s.duration > 604800000 || s.choice < 0 ||
            s.choice > 2 || memchr(data, 0, size))
            abort();
    } else if (err.code != SG_E_CONFIG || strncmp(err.detail, path, strlen(path)) != 0) {
        abort();
    }
    sg_config_free(options, COUNT, &s);
    close(fd);
    return 0;
}
