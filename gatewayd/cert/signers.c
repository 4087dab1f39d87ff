/*
 * REQ-82: whose signature is this, where its certificate is not in the message? What is known of
 * the domain, in the store and in the directories; the caller matches and judges.
 */
#include "cert/cert_internal.h"

/* false: what From names is no domain of certificates (an address literal, say). */
static bool begin(const char *domain, struct sg_cert_signers *signers)
{
    *signers = (struct sg_cert_signers){.detail = "", .certificates = sk_X509_new_null()};
    if (!signers->certificates)
        abort();
    bool named = sg_domain_valid(sg_bytes_str(domain));
    if (!named)
        signers->detail = "not asked: not the name of a domain";
    return named;
}

/* How many of them are certificates; no more than a message's may be are looked at. */
static size_t add(struct sg_certs *certs, struct sg_cert_signers *signers,
                  const struct sg_bytes *ders, size_t count)
{
    size_t added = 0;
    for (size_t i = 0; i < count; i++) {
        size_t have = (size_t)sk_X509_num(signers->certificates);
        X509 *x = have < certs->limits.max_certificates ? sg_x509_decode(ders[i]) : NULL;
        if (!x)
            continue;
        if (sk_X509_push(signers->certificates, x) <= 0)
            abort();
        added++;
    }
    return added;
}

static void say(struct sg_arena *arena, struct sg_cert_signers *signers, const char *where,
                const char *what)
{
    signers->detail = sg_arena_printf(arena, "%s%s%s: %s", signers->detail,
                                      *signers->detail ? "; " : "", where, what);
}

static const char *number(struct sg_arena *arena, size_t count)
{
    return sg_arena_printf(arena, "%zu certificate%s", count, count == 1 ? "" : "s");
}

bool sg_cert_signers_stored(struct sg_certs *certs, struct sg_arena *arena, const char *domain,
                            const char *relying, struct sg_cert_signers *signers_r,
                            struct sg_error *err)
{
    const struct sg_cert_stored wanted = {.domain = domain, .relying = relying};
    struct sg_cert_der_list list = {0};
    if (!begin(domain, signers_r))
        return true;
    if (!certs->storage.partner_find(certs->storage.ctx, arena, &wanted, &list, err)) {
        sk_X509_pop_free(signers_r->certificates, X509_free);
        return false;
    }
    say(arena, signers_r, "store", number(arena, add(certs, signers_r, list.items, list.count)));
    return true;
}

bool sg_cert_signers_published(struct sg_certs *certs, struct sg_arena *arena, const char *domain,
                               struct sg_cert_signers *signers_r, struct sg_error *err)
{
    struct sg_directory **list;
    size_t count;
    if (!begin(domain, signers_r))
        return true;
    if (!sg_directories_get(certs, arena, &list, &count, err)) {
        sk_X509_pop_free(signers_r->certificates, X509_free);
        return false;
    }
    struct sg_lookup *lookups = SG_ARENA_ARRAY(arena, struct sg_lookup, count + 1);
    for (size_t i = 0; i < count; i++)
        lookups[i].directory = list[i];
    sg_lookup_all(lookups, count, SG_ASK_SIGNERS, domain, &certs->limits, arena);
    for (size_t i = 0; i < count; i++) {
        const struct sg_lookup *l = &lookups[i];
        size_t added = l->ok ? add(certs, signers_r, l->values.items, l->values.count) : 0;
        say(arena, signers_r, l->ok ? sg_directory_url(list[i]) : "no answer",
            l->ok ? number(arena, added) : l->err.detail);
        sg_directory_put(list[i]);
    }
    return true;
}
