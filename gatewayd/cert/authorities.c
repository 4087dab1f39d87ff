/*
 * CA certificates that a directory has (pkiCA, RFC 4523): what lies between a certificate and its
 * root, where whoever sent it did not send that along. They only help to build a chain.
 */
#include "cert/cert_internal.h"

#include <openssl/x509v3.h>

bool sg_is_authority(X509 *x)
{
    return X509_check_ca(x) == 1 && !sg_cert_is_domain_authority(x);
}

bool sg_authorities_add(struct sg_certs *certs, struct sg_directory *directory,
                        struct sg_arena *arena, STACK_OF(X509) *issuers)
{
    struct sg_ldap_values values = {0};
    bool came = false;
    if (!sg_directory_authorities(directory, certs->limits.ldap_timeout_ms, arena, &values, NULL))
        return false;
    for (size_t i = 0; i < values.count; i++) {
        X509 *x = sg_x509_parse(values.items[i]);
        if (x && sg_is_authority(x) && sk_X509_push(issuers, x))
            came = true;
        else
            X509_free(x);
    }
    return came;
}

bool sg_authorities_add_all(struct sg_certs *certs, struct sg_arena *arena, STACK_OF(X509) *issuers,
                            bool *came_r, struct sg_error *err)
{
    struct sg_directory **list;
    size_t count;
    *came_r = false;
    if (!sg_directories_get(certs, arena, &list, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        *came_r |= sg_authorities_add(certs, list[i], arena, issuers);
        sg_directory_put(list[i]);
    }
    return true;
}
