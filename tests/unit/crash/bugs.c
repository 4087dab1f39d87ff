/* Loaded before gatewayd's libraries, which then seem to have bugs: one dies of the charset EUC-TW,
 * one of a certificate that names deadly.test. */
#include <dlfcn.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>

static void die(void)
{
    *(volatile int *)0 = 1;
}

iconv_t iconv_open(const char *to, const char *from)
{
    static iconv_t (*real)(const char *to, const char *from);
    if (strcasecmp(from, "EUC-TW") == 0)
        die();
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "iconv_open");
    return real(to, from);
}

/* OpenSSL's, with types that it does not matter to name. */
void *d2i_X509(void **certificate, const unsigned char **der, long len)
{
    static void *(*real)(void **certificate, const unsigned char **der, long len);
    if (len > 0 && memmem(*der, (size_t)len, "deadly.test", 11))
        die();
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "d2i_X509");
    return real(certificate, der, len);
}
