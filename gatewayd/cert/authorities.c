/*
 * CA certificates that a directory has (pkiCA, RFC 4523): what lies between a certificate and its
 * root, where whoever sent it did not send that along. They only help to build a chain.
 */
#include "cert/cert_internal.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

bool sg_is_authority(X509 *x)
{
    return X509_check_ca(x) == 1 && !sg_cert_is_domain_authority(x);
}

bool sg_authorities_add(struct sg_certs *certs, struct sg_directory *directory,
                        struct sg_arena *arena, STACK_OF(X509) *issuers)
{
    struct sg_ldap_values values = {0};
    struct sg_error err = {0}; /* which the directory logs */
    bool came = false;
    if (!sg_directory_authorities(directory, certs->limits.ldap_timeout_ms, arena, &values, &err))
        return false;
    for (size_t i = 0; i < values.count; i++) {
        X509 *x = sg_x509_decode(values.items[i]);
        if (x && sg_is_authority(x) && sk_X509_push(issuers, x))
            came = true;
        else
            X509_free(x);
    }
    return came;
}

bool sg_authority_above(struct sg_certs *certs, X509 *anchor, X509 *certificate,
                        STACK_OF(X509) *issuers)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    SG_AUTO_CHAIN all = sk_X509_new_null();
    bool above = false;
    for (int i = 0; all && i < sk_X509_num(issuers); i++) {
        X509 *x = sk_X509_value(issuers, i);
        if (X509_up_ref(x) && !sk_X509_push(all, x))
            X509_free(x);
    }
    if (all)
        sg_certs_issuers_get(certs, all);
    if (store && ctx && all && X509_STORE_add_cert(store, anchor) &&
        X509_STORE_CTX_init(ctx, store, certificate, all)) {
        X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
        above = X509_verify_cert(ctx) == 1;
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return above;
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
