/* Networks in CIDR form: what is taken has its own first address. */
#include "common/networks.h"

#include "common/arena.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    char *text = sg_arena_str(arena, sg_bytes_of(data, size));
    const char *const texts[] = {text};
    struct sg_networks *n;
    struct sg_error err;
    if (!sg_networks_new(texts, 1, 1, &n, &err))
        return 0;
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    *strchr(text, '/') = 0;
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1
            ? !sg_networks_have(n, (struct sockaddr *)&four)
            : inet_pton(AF_INET6, text, &six.sin6_addr) != 1 ||
                  !sg_networks_have(n, (struct sockaddr *)&six))
        abort();
    sg_networks_unref(&n);
    return 0;
}
