/*
 * Certificates in PEM out of a request: what is taken is no more than may be, has a subject that
 * can be shown, and written again reads as the same.
 */
#include "api/pem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    const char *text = sg_arena_str(arena, sg_bytes_of(data, size)), *checked = text;
    struct api_certificates found = {0}, again = {0};
    struct sg_error err = {0};
    (void)!api_check_pem(arena, &checked, &err);
    err = (struct sg_error){0};
    if (!api_pem_read(arena, text, MOST, &found, &err)) {
        if (err.code != SG_E_INVALID || !*err.detail)
            abort();
        return 0;
    }
    if (found.count < 1 || found.count > MOST)
        abort();
    for (size_t i = 0; i < found.count; i++) {
        struct sg_error why;
        const char *pem = api_pem_write(arena, "CERTIFICATE", found.items[i].der);
        (void)!api_certificate_root(&found.items[i], found.items[i].not_before, &why);
        for (const char *p = found.items[i].subject; *p; p++)
            if ((unsigned char)*p < ' ')
                abort();
        if (!api_pem_read(arena, pem, 1, &again, &why) ||
            !sg_bytes_equal(again.items[0].der, found.items[i].der))
            abort();
    }
    return 0;
}
