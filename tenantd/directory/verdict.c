#include "directory/directory_internal.h"

#include <string.h>

static const char *number(const char *version)
{
    size_t n = strlen(version);
    return n > 0 && strspn(version, "0123456789") == n ? version + strspn(version, "0") : NULL;
}

bool sg_version_is_older(const char *read, const char *known)
{
    const char *a = number(read), *b = number(known);
    if (!a || !b)
        return false;
    return strlen(a) != strlen(b) ? strlen(a) < strlen(b) : strcmp(a, b) < 0;
}

/* Members that go count, also where as many others come: a list must not be swapped either. */
const char *sg_list_verdict(const struct sg_directory_options *o, size_t before, size_t after,
                            size_t added, size_t removed)
{
    if (before > 0 && after == 0)
        return "emptied";
    if (removed > (size_t)o->shrink_free &&
        (removed > (size_t)o->shrink_members || removed * 100 > before * (size_t)o->shrink_percent))
        return "shrunk";
    return o->approval && added + removed > 0 ? "approval" : "";
}
