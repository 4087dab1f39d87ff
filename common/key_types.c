#include "common/key_types.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <string.h>

#define NAME     "sealgate"
#define DECODERS 16

/*
 * A provider that is OpenSSL's default one with fewer decoders. That one runs in a library context
 * of its own, for a context knows every decoder of what was loaded into it.
 */
static struct {
    const char *const *types;
    OSSL_LIB_CTX *context;
    OSSL_PROVIDER *whole, *loaded; /* that one; this one, for as long as the process lives */
    OSSL_ALGORITHM decoders[DECODERS + 1]; /* ended by an empty one */
} own;

/* Of private keys none: OpenSSL then reads them in the way of 1.1, which it has kept. */
static bool is_wanted(const OSSL_ALGORITHM *decoder, const char *type)
{
    return strstr(decoder->property_definition, "structure=SubjectPublicKeyInfo") &&
           strcmp(decoder->algorithm_names, type) == 0;
}

/* false: there is a type that has none, whose keys nobody would read. */
static bool decoders_choose(void)
{
    int no_cache;
    const OSSL_ALGORITHM *all =
        OSSL_PROVIDER_query_operation(own.whole, OSSL_OP_DECODER, &no_cache);
    size_t count = 0;
    for (size_t i = 0; own.types[i]; i++) {
        size_t before = count;
        for (const OSSL_ALGORITHM *a = all; a && a->algorithm_names && count < DECODERS; a++)
            if (is_wanted(a, own.types[i]))
                own.decoders[count++] = *a;
        if (count == before || count == DECODERS)
            return false;
    }
    return count > 0;
}

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
    (void)context;
    if (operation != OSSL_OP_DECODER)
        return OSSL_PROVIDER_query_operation(own.whole, operation, no_cache);
    *no_cache = 0;
    return own.decoders;
}

static void unquery(void *context, int operation, const OSSL_ALGORITHM *algorithms)
{
    (void)context;
    if (operation != OSSL_OP_DECODER)
        OSSL_PROVIDER_unquery_operation(own.whole, operation, algorithms);
}

static const OSSL_PARAM *gettable(void *context)
{
    (void)context;
    return OSSL_PROVIDER_gettable_params(own.whole);
}

static int get(void *context, OSSL_PARAM *params)
{
    (void)context;
    return OSSL_PROVIDER_get_params(own.whole, params);
}

/* Such as the groups of TLS. */
static int capabilities(void *context, const char *capability, OSSL_CALLBACK *callback, void *arg)
{
    (void)context;
    return OSSL_PROVIDER_get_capabilities(own.whole, capability, callback, arg);
}

static void teardown(void *context)
{
    (void)context;
    OSSL_PROVIDER_unload(own.whole);
    OSSL_LIB_CTX_free(own.context);
    own.whole = NULL;
    own.context = NULL;
}

static int begin(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **context_r)
{
    static const OSSL_DISPATCH calls[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {OSSL_FUNC_PROVIDER_UNQUERY_OPERATION, (void (*)(void))unquery},
        {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))gettable},
        {OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))get},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
        {OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))teardown},
        {0, NULL}};
    (void)handle, (void)in;
    own.context = OSSL_LIB_CTX_new();
    own.whole = own.context ? OSSL_PROVIDER_load(own.context, "default") : NULL;
    if (!own.whole || !decoders_choose()) {
        teardown(NULL);
        return 0;
    }
    *out = calls;
    *context_r = OSSL_PROVIDER_get0_provider_ctx(own.whole); /* its algorithms', which are ours */
    return 1;
}

bool sg_key_types_set(const char *const *types, struct sg_error *err)
{
    own.types = types;
    if (OSSL_PROVIDER_add_builtin(NULL, NAME, begin) == 1 &&
        (own.loaded = OSSL_PROVIDER_load(NULL, NAME)))
        return true;
    sg_fail_openssl(err, SG_E_INTERNAL, "OpenSSL's provider of %s", NAME);
    OSSL_PROVIDER_load(NULL, "default"); /* which comes by itself only where none was loaded */
    return false;
}
