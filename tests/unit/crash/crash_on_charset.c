/* Loaded before the C library: whoever converts from the charset EUC-TW dies of it, as of a bug
 * in a converter. */
#include <dlfcn.h>
#include <iconv.h>
#include <strings.h>

iconv_t iconv_open(const char *to, const char *from)
{
    static iconv_t (*real)(const char *to, const char *from);
    if (strcasecmp(from, "EUC-TW") == 0)
        *(volatile int *)0 = 1;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "iconv_open");
    return real(to, from);
}
