#include "certlife/install.h"

#include "certlife/check.h"
#include "certlife/life.h"
#include "certlife/order.h"
#include "certlife/publication.h"
#include "certlife/raise.h"
#include "common/certificate.h"
#include "common/id.h"
#include "schema/authority.h"
#include "schema/certificate_order.h"
#include "schema/trust_anchor.h"

#include <openssl/err.h>

bool sg_x509_push(STACK_OF(X509) *list, struct sg_bytes der)
{
    X509 *x = sg_certificate_read(der);
    if (x && sk_X509_push(list, x) > 0)
        return true;
    X509_free(x);
    return false;
}

struct sg_bytes sg_x509_der(struct sg_arena *arena, const X509 *x)
{
    unsigned char *der = NULL;
    int len = i2d_X509(x, &der);
    struct sg_bytes copy = sg_arena_copy(arena, sg_bytes_of(der, len > 0 ? (size_t)len : 0));
    OPENSSL_free(der);
    return copy;
}

/* REQ-178: the accredited roots alone. Further ones of a domain (REQ-180) say whom it trusts; its
 * own certificate is for others, who do not have them. */
bool sg_anchors_read(struct sg_job *job, STACK_OF(X509) *anchors, struct sg_error *err)
{
    struct sg_bytes *ders;
    size_t count;
    if (!sg_trust_anchor_list(job->db, job->arena, &ders, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!sg_x509_push(anchors, ders[i]))
            return sg_fail_openssl(err, SG_E_INTERNAL, "a trust anchor cannot be read");
    return true;
}

static bool domain_read(struct sg_installation *in, struct sg_error *err)
{
    bool found;
    const char *tenant = in->job->row->tenant_id;
    if (!sg_domain_find(in->job->db, in->job->arena, in->domain_id, &in->domain, &found, err))
        return false;
    /* The tenant of the job is the one that was allowed to ask for it. */
    if (!found || !tenant || strcmp(in->domain.tenant_id, tenant) != 0)
        return sg_fail(err, SG_E_NOT_FOUND, "there is no such domain");
    return true;
}

/* REQ-45: a key of this domain's own, and no other's. */
static bool key_read(struct sg_installation *in, X509 *leaf, struct sg_error *err)
{
    unsigned char *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
    if (len <= 0)
        return sg_fail_openssl(err, SG_E_CRYPTO, "cannot encode the public key");
    bool found;
    bool ok = sg_hsm_key_find_by_spki(in->job->db, in->job->arena, in->domain.id,
                                      sg_bytes_of(spki, (size_t)len), &in->key, &found, err);
    OPENSSL_free(spki);
    if (!ok || found)
        return ok;
    in->cause = "wrong-key";
    return sg_fail(err, SG_E_CERT, "its public key is none of this domain's active keys");
}

static const char *name_text(struct sg_arena *arena, const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    const char *text = "";
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        long len = BIO_get_mem_data(bio, &data);
        text = sg_arena_str(arena, sg_bytes_of(data, len > 0 ? (size_t)len : 0));
    }
    BIO_free(bio);
    return text;
}

static const char *serial_text(struct sg_arena *arena, const X509 *x)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *hex = n ? BN_bn2hex(n) : NULL;
    char *text = sg_arena_strdup(arena, hex ? hex : "");
    for (char *p = text; *p; p++)
        *p = *p >= 'A' && *p <= 'F' ? (char)(*p | 0x20) : *p;
    OPENSSL_free(hex);
    BN_free(n);
    return text;
}

static sg_time time_of(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) * SG_SECOND : 0;
}

static void describe(struct sg_installation *in, const X509 *leaf)
{
    struct sg_arena *arena = in->job->arena;
    size_t count = (size_t)sk_X509_num(in->chain);
    struct sg_bytes *chain = SG_ARENA_ARRAY(arena, struct sg_bytes, count + 1);
    for (size_t i = 0; i < count; i++)
        chain[i] = sg_x509_der(arena, sk_X509_value(in->chain, (int)i));
    in->certificate = (struct sg_certificate_new){
        .id = sg_arena_strdup(arena, sg_id_new("crt").text),
        .tenant_id = in->domain.tenant_id,
        .domain_id = in->domain.id,
        .key_id = in->key.id,
        .der = sg_x509_der(arena, leaf),
        .chain = chain,
        .chain_count = count,
        .subject = name_text(arena, X509_get_subject_name(leaf)),
        .issuer = name_text(arena, X509_get_issuer_name(leaf)),
        .serial = serial_text(arena, leaf),
        .not_before = time_of(X509_get0_notBefore(leaf)),
        .not_after = time_of(X509_get0_notAfter(leaf)),
    };
}

/* REQ-161: no certificate reaches beyond five years of its key. */
static bool key_age_check(struct sg_installation *in, struct sg_error *err)
{
    if (sg_life_key_covers(in->key.created_at, in->certificate.not_after))
        return true;
    char made[SG_TIME_TEXT];
    sg_time_rfc3339(in->key.created_at, made);
    in->cause = "key-too-old";
    return sg_fail(err, SG_E_CERT,
                   "its key is of %s and would be in use for over five years"
                   " (REQ-161)",
                   made);
}

bool sg_installation_check(struct sg_installation *in, struct sg_error *err)
{
    STACK_OF(X509) *anchors = sk_X509_new_null();
    X509 *leaf = sk_X509_value(in->handed, 0);
    bool ok = domain_read(in, err) && sg_anchors_read(in->job, anchors, err);
    struct sg_install_check check = {.domain = in->domain.name,
                                     .certificate = leaf,
                                     .intermediates = in->handed,
                                     .anchors = anchors,
                                     .now = sg_clock_now()};
    ok = ok && key_read(in, leaf, err);
    if (ok && !sg_install_check(&check, &in->chain, err)) {
        in->cause = check.cause;
        ok = false;
    }
    if (ok) {
        describe(in, leaf);
        ok = key_age_check(in, err);
    }
    sk_X509_pop_free(anchors, X509_free);
    return ok;
}

/* Who brought it by hand while an order waited has answered the order. */
static bool order_answer(struct sg_tx *tx, struct sg_installation *in, struct sg_error *err)
{
    const char *id, *name;
    enum sg_order_state state, next;
    if (!sg_order_open_of_key(tx, in->job->arena, in->domain.id, in->key.id, &id, &name, err))
        return false;
    if (!id)
        return true;
    struct sg_order_move move = {.id = id, .from = name, .certificate_id = in->certificate_id};
    if (!sg_order_state_parse(name, &state, err) || !sg_order_next(state, SG_ORDER_FIT, &next, err))
        return false;
    move.to = sg_order_state_name(next);
    move.finished = true;
    return sg_order_move(tx, in->job->arena, &move, err);
}

/* Nobody need look after this domain any more. */
static bool settle(struct sg_tx *tx, struct sg_installation *in, struct sg_error *err)
{
    static const char *const kinds[] = {"certificate.order", "certificate.awaited",
                                        "certificate.expiring"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!sg_settle_domain(tx, in->job->arena, kinds[i], in->domain.id,
                              "a certificate was installed", err))
            return false;
    return true;
}

bool sg_installation_commit(struct sg_tx *tx, struct sg_installation *in, struct sg_error *err)
{
    struct sg_authority_row authority = {0};
    struct sg_certificate_new *c = &in->certificate;
    bool known;
    if (!sg_authority_of_domain(tx, in->job->arena, c->domain_id, &authority, &known, err))
        return false;
    sg_time lead = (known ? authority.renewal_lead_days : SG_LIFE_LEAD_DAYS) * SG_DAY;
    c->authority_id = known ? authority.id : NULL;
    c->publication = known && authority.directory_url;
    c->renew_at =
        sg_life_renew_at(c->not_before, c->not_after, lead, in->life->jitter, c->domain_id);
    return sg_certificate_install(tx, in->job->arena, c, &in->certificate_id, err) &&
           order_answer(tx, in, err) &&
           (!c->publication || sg_publication_watch(tx, c->tenant_id, in->certificate_id, err)) &&
           settle(tx, in, err);
}

void sg_installation_free(struct sg_installation *in)
{
    sk_X509_pop_free(in->handed, X509_free);
    sk_X509_pop_free(in->chain, X509_free);
    in->handed = in->chain = NULL;
}
