/*
 * REQ-82: whose signature is this, where its certificate is not in the message? What is known of
 * the domain, in the store and in the directories; the caller matches and judges.
 */
#include "cert/cert_internal.h"

static bool begin(const char *domain, struct sg_cert_signers *signers, struct sg_error *err)
{
    *signers = (struct sg_cert_signers){.detail = ""};
    if (!sg_domain_valid(sg_bytes_str(domain)))
        return sg_fail(err, SG_E_INVALID, "not a domain name");
    signers->certificates = sk_X509_new_null();
    return signers->certificates || sg_fail(err, SG_E_NO_MEMORY, "certificates");
}

/* How many of them are certificates; no more than a message's may be are looked at. */
static size_t add(struct sg_certs *certs, struct sg_cert_signers *signers,
                  const struct sg_bytes *ders, size_t count)
{
    size_t added = 0;
    for (size_t i = 0; i < count; i++) {
        size_t have = (size_t)sk_X509_num(signers->certificates);
        X509 *x = have < certs->limits.max_certificates ? sg_x509_parse(ders[i]) : NULL;
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
                            struct sg_cert_signers *signers_r, struct sg_error *err)
{
    const struct sg_cert_stored wanted = {.domain = domain};
    struct sg_cert_der_list list = {0};
    if (!begin(domain, signers_r, err))
        return false;
    if (!certs->storage.partner_find(certs->storage.ctx, arena, &wanted, &list, err)) {
        sk_X509_pop_free(signers_r->certificates, X509_free);
        return false;
    }
    say(arena, signers_r, "store", number(arena, add(certs, signers_r, list.items, list.count)));
    return true;
}

static void published(struct sg_certs *certs, struct sg_arena *arena,
                      struct sg_directory *directory, const char *domain,
                      struct sg_cert_signers *signers)
{
    struct sg_ldap_values values = {0};
    struct sg_error away;
    const char *url = sg_arena_strdup(arena, sg_directory_url(directory));
    sg_error_reset(&away);
    if (sg_directory_ask(directory, SG_ASK_SIGNERS, domain, certs->limits.ldap_timeout_ms, arena,
                         &values, &away))
        say(arena, signers, url, number(arena, add(certs, signers, values.items, values.count)));
    else
        say(arena, signers, "no answer", away.detail);
}

bool sg_cert_signers_published(struct sg_certs *certs, struct sg_arena *arena, const char *domain,
                               struct sg_cert_signers *signers_r, struct sg_error *err)
{
    struct sg_directory **list;
    size_t count;
    if (!begin(domain, signers_r, err))
        return false;
    if (!sg_directories_get(certs, arena, &list, &count, err)) {
        sk_X509_pop_free(signers_r->certificates, X509_free);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        published(certs, arena, list[i], domain, signers_r);
        sg_directory_put(list[i]);
    }
    return true;
}
