#include "directory/directory_internal.h"

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
