/*
 * Reading a revocation list (RFC 5280 section 5). A list may have many megabytes: it is walked
 * through once, and what stays is what is asked of it later, its serial numbers sorted. The names,
 * times and extensions around these are left to OpenSSL. Delta and indirect lists and lists of
 * some reasons only are not supported: such a list answers nothing.
 */
#include "cert/crl.h"

#include "common/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_BOOLEAN     0x01
#define TAG_INTEGER     0x02
#define TAG_BIT_STRING  0x03
#define TAG_OCTETS      0x04
#define TAG_OID         0x06
#define TAG_ENUMERATED  0x0a
#define TAG_UTC_TIME    0x17
#define TAG_TIME        0x18
#define TAG_SEQUENCE    0x30
#define TAG_EXTENSIONS  0xa0
#define MAX_LENGTH_SIZE 4
#define MAX_SERIAL      255
#define MAX_DECODED     65536 /* of what OpenSSL decodes, which takes many times as much then */

/* One element of DER: all of it, and what it holds. */
struct element {
    uint8_t tag;
    struct sg_bytes whole, content;
};

/* Takes the next element off. Definite lengths and tags of one octet alone. (Not smime/ber.h: what
 * a CA has signed is DER, and that reader, of mail's, takes indefinite lengths; nor does cert/ link
 * it.) */
static bool next(struct sg_bytes *rest, struct element *e)
{
    if (rest->len < 2 || (rest->data[0] & 0x1f) == 0x1f)
        return false;
    size_t head = 2, len = rest->data[1];
    if (len & 0x80) {
        size_t octets = len & 0x7f;
        if (octets == 0 || octets > MAX_LENGTH_SIZE || rest->len < head + octets)
            return false;
        len = 0;
        for (size_t i = 0; i < octets; i++)
            len = len << 8 | rest->data[head + i];
        head += octets;
    }
    if (len > rest->len - head)
        return false;
    e->tag = rest->data[0];
    e->whole = sg_bytes_slice(*rest, 0, head + len);
    e->content = sg_bytes_slice(*rest, head, len);
    *rest = sg_bytes_slice(*rest, head + len, rest->len);
    return true;
}

static bool next_is(struct sg_bytes *rest, uint8_t tag, struct element *e)
{
    return rest->len > 0 && rest->data[0] == tag && next(rest, e);
}

static bool next_time(struct sg_bytes *rest, struct element *e)
{
    return next_is(rest, TAG_UTC_TIME, e) || next_is(rest, TAG_TIME, e);
}

static bool time_of(const struct element *e, sg_time *time_r)
{
    const ASN1_TIME time = {.length = (int)e->content.len,
                            .type =
                                e->tag == TAG_UTC_TIME ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME,
                            .data = (unsigned char *)(uintptr_t)e->content.data};
    return e->content.len < 64 && sg_asn1_time(&time, time_r);
}

/* The parts of a list, views into what was fetched. */
struct parts {
    struct element tbs, algorithm, signature;
    struct element inner_algorithm, issuer, this_update, next_update, entries, extensions;
    bool has_next_update, has_extensions;
};

static bool split_inner(struct parts *p)
{
    struct sg_bytes rest = p->tbs.content;
    struct element version, wrapped;
    if (next_is(&rest, TAG_INTEGER, &version) &&
        (version.content.len != 1 || version.content.data[0] != 1))
        return false;
    if (!next_is(&rest, TAG_SEQUENCE, &p->inner_algorithm) ||
        !next_is(&rest, TAG_SEQUENCE, &p->issuer) || !next_time(&rest, &p->this_update))
        return false;
    p->has_next_update = next_time(&rest, &p->next_update);
    (void)next_is(&rest, TAG_SEQUENCE, &p->entries); /* absent: nobody is on it */
    if (next_is(&rest, TAG_EXTENSIONS, &wrapped))
        p->has_extensions =
            next_is(&wrapped.content, TAG_SEQUENCE, &p->extensions) && wrapped.content.len == 0;
    return rest.len == 0;
}

static bool split(struct sg_bytes der, struct parts *p)
{
    struct element list;
    if (!next_is(&der, TAG_SEQUENCE, &list) || der.len != 0)
        return false;
    struct sg_bytes rest = list.content;
    return next_is(&rest, TAG_SEQUENCE, &p->tbs) && next_is(&rest, TAG_SEQUENCE, &p->algorithm) &&
           next_is(&rest, TAG_BIT_STRING, &p->signature) && rest.len == 0 && split_inner(p) &&
           /* Section 5.1.1.2: what is signed says how it is signed. */
           sg_bytes_equal(p->algorithm.whole, p->inner_algorithm.whole);
}

/* Serial numbers --------------------------------------------------------------------------------
 */

/* The shortest form of an INTEGER: not every CA has kept to it. */
static struct sg_bytes serial_of(struct sg_bytes content)
{
    while (content.len > 1 && ((content.data[0] == 0x00 && !(content.data[1] & 0x80)) ||
                               (content.data[0] == 0xff && (content.data[1] & 0x80))))
        content = sg_bytes_slice(content, 1, content.len);
    return content;
}

/* Section 5.3: an entry of which something critical is not understood spoils the list for every
 * certificate; so does one that is of another issuer's certificate. */
static bool entry_extension(struct element *extension, struct sg_crl_serial *serial)
{
    static const uint8_t reason[] = {0x55, 0x1d, 0x15}, issuer[] = {0x55, 0x1d, 0x1d};
    struct element oid, critical, value, code;
    struct sg_bytes rest = extension->content;
    if (!next_is(&rest, TAG_OID, &oid))
        return false;
    bool is_critical = next_is(&rest, TAG_BOOLEAN, &critical) &&
                       (critical.content.len != 1 || critical.content.data[0] != 0);
    if (!next_is(&rest, TAG_OCTETS, &value) || rest.len != 0)
        return false;
    if (sg_bytes_equal(oid.content, sg_bytes_of(reason, sizeof reason))) {
        if (!next_is(&value.content, TAG_ENUMERATED, &code) || code.content.len != 1)
            return false;
        serial->reason = code.content.data[0];
        return true;
    }
    return !is_critical && !sg_bytes_equal(oid.content, sg_bytes_of(issuer, sizeof issuer));
}

static bool entry_read(struct sg_bytes content, struct sg_crl_serial *serial,
                       struct sg_bytes *number_r)
{
    struct element number, date, extensions, extension;
    if (!next_is(&content, TAG_INTEGER, &number) || number.content.len == 0 ||
        number.content.len > MAX_SERIAL || !next_time(&content, &date))
        return false;
    *number_r = serial_of(number.content);
    if (!time_of(&date, &serial->since))
        serial->since = SG_CRL_SOME_TIME;
    if (content.len == 0)
        return true;
    if (!next_is(&content, TAG_SEQUENCE, &extensions) || content.len != 0)
        return false;
    while (extensions.content.len > 0)
        if (!next_is(&extensions.content, TAG_SEQUENCE, &extension) ||
            !entry_extension(&extension, serial))
            return false;
    return true;
}

static size_t count_entries(struct sg_bytes rest)
{
    struct element e;
    size_t count = 0;
    while (next(&rest, &e))
        count++;
    return count;
}

static int by_number(const void *a, const void *b, void *numbers)
{
    const struct sg_crl_serial *x = a, *y = b;
    const uint8_t *base = numbers;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(base + x->offset, base + y->offset, x->len);
}

/* The numbers lie one behind the other in a block; the whole is never larger than the list. */
static bool entries_read(struct sg_bytes rest, struct sg_crl *crl)
{
    size_t count = count_entries(rest), used = 0;
    crl->serials = calloc(count + 1, sizeof *crl->serials);
    crl->numbers = malloc(rest.len + 1);
    if (!crl->serials || !crl->numbers)
        abort();
    while (rest.len > 0) {
        struct element entry;
        struct sg_crl_serial *serial = &crl->serials[crl->count];
        struct sg_bytes number;
        if (!next_is(&rest, TAG_SEQUENCE, &entry) || !entry_read(entry.content, serial, &number))
            return false;
        serial->offset = (uint32_t)used;
        serial->len = (uint8_t)number.len;
        memcpy(crl->numbers + used, number.data, number.len);
        used += number.len;
        crl->count++;
    }
    uint8_t *fitted = realloc(crl->numbers, used + 1);
    crl->numbers = fitted ? fitted : crl->numbers;
    crl->bytes += sizeof *crl + (count + 1) * sizeof *crl->serials + used + 1;
    qsort_r(crl->serials, crl->count, sizeof *crl->serials, by_number, crl->numbers);
    return true;
}

/* Extensions of the list ------------------------------------------------------------------------
 */

static bool scope_supported(const ISSUING_DIST_POINT *scope)
{
    return scope->indirectCRL <= 0 && !scope->onlysomereasons && scope->onlyattr <= 0 &&
           (!scope->distpoint ||
            (scope->distpoint->type == 0 &&
             sk_GENERAL_NAME_num(scope->distpoint->name.fullname) <= SG_CRL_NAMES_MAX));
}

static bool extensions_understood(struct sg_crl *crl, const STACK_OF(X509_EXTENSION) *extensions)
{
    for (int i = 0; i < sk_X509_EXTENSION_num(extensions); i++) {
        X509_EXTENSION *extension = sk_X509_EXTENSION_value(extensions, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        if (nid == NID_delta_crl ||
            (X509_EXTENSION_get_critical(extension) && nid != NID_issuing_distribution_point))
            return false;
    }
    int critical;
    crl->scope = X509V3_get_d2i(extensions, NID_issuing_distribution_point, &critical, NULL);
    return crl->scope ? scope_supported(crl->scope) : critical == -1;
}

static bool extensions_read(struct sg_crl *crl, const struct parts *p)
{
    if (!p->has_extensions)
        return true;
    if (p->extensions.whole.len > MAX_DECODED)
        return false;
    crl->bytes += p->extensions.whole.len; /* nearly all of it may be the scope */
    const uint8_t *at = p->extensions.whole.data;
    STACK_OF(X509_EXTENSION) *extensions =
        d2i_X509_EXTENSIONS(NULL, &at, (long)p->extensions.whole.len);
    bool ok = extensions && at == p->extensions.whole.data + p->extensions.whole.len &&
              extensions_understood(crl, extensions);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return ok;
}

static bool times_read(struct sg_crl *crl, const struct parts *p)
{
    return time_of(&p->this_update, &crl->times.this_update) && p->has_next_update &&
           time_of(&p->next_update, &crl->times.next_update);
}

/* Whose it is -----------------------------------------------------------------------------------
 */

static bool signature_good(const struct parts *p, const X509_ALGOR *algorithm, X509 *issuer)
{
    const uint8_t *at = p->signature.whole.data;
    ASN1_BIT_STRING *signature = d2i_ASN1_BIT_STRING(NULL, &at, (long)p->signature.whole.len);
    ASN1_STRING tbs = {.length = (int)p->tbs.whole.len,
                       .type = V_ASN1_SEQUENCE,
                       .data = (unsigned char *)(uintptr_t)p->tbs.whole.data};
    const ASN1_TYPE any = {.type = V_ASN1_SEQUENCE, .value.sequence = &tbs};
    bool good = signature && ASN1_item_verify(ASN1_ITEM_rptr(ASN1_ANY), algorithm, signature, &any,
                                              X509_get0_pubkey(issuer)) == 1;
    ASN1_BIT_STRING_free(signature);
    return good;
}

static const char *fault_of_issuer(const struct parts *p, X509 *issuer)
{
    const uint8_t *at = p->issuer.whole.data;
    X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)p->issuer.whole.len);
    bool same = name && X509_NAME_cmp(name, X509_get_subject_name(issuer)) == 0;
    X509_NAME_free(name);
    if (!same)
        return "the revocation list is of another issuer";
    if (!(X509_get_key_usage(issuer) & KU_CRL_SIGN))
        return "the issuer's key may not sign revocation lists";
    at = p->algorithm.whole.data;
    X509_ALGOR *algorithm = d2i_X509_ALGOR(NULL, &at, (long)p->algorithm.whole.len);
    const char *fault = NULL;
    if (!algorithm || !sg_suitable_crl_algorithm(algorithm))
        fault = "the revocation list is signed with an algorithm that is not accepted";
    else if (!signature_good(p, algorithm, issuer))
        fault = "the signature of the revocation list is not the issuer's";
    X509_ALGOR_free(algorithm);
    return fault;
}

static struct sg_crl *list_read(struct sg_bytes der, X509 *issuer, const char **fault_r)
{
    struct parts p = {0};
    *fault_r = NULL;
    if (der.len > INT32_MAX || !split(der, &p) || p.issuer.whole.len > MAX_DECODED ||
        p.algorithm.whole.len > MAX_DECODED)
        *fault_r = "what was fetched is not a revocation list";
    else if (issuer)
        *fault_r = fault_of_issuer(&p, issuer);
    if (*fault_r)
        return NULL;
    struct sg_crl *crl = calloc(1, sizeof *crl);
    if (!crl)
        abort();
    atomic_init(&crl->references, 1);
    if (!extensions_read(crl, &p) || !entries_read(p.entries.content, crl))
        *fault_r = "the revocation list is of an unsupported kind (delta, indirect or partial), or "
                   "not all of it is understood";
    else if (!times_read(crl, &p))
        *fault_r = "the revocation list does not say for how long it holds";
    if (*fault_r)
        sg_crl_free(&crl);
    return crl;
}

struct sg_crl *sg_crl_read(struct sg_bytes der, X509 *issuer, char why[SG_CERT_WHY])
{
    const char *fault;
    struct sg_crl *crl = list_read(der, issuer, &fault);
    if (fault)
        snprintf(why, SG_CERT_WHY, "%s", fault);
    ERR_clear_error();
    return crl;
}

void sg_crl_unwrap(struct sg_buf *data)
{
    if (!sg_bytes_starts(sg_buf_bytes(data), "-----BEGIN") || data->len > INT32_MAX)
        return;
    BIO *in = BIO_new_mem_buf(data->data, (int)data->len);
    unsigned char *der = NULL;
    long len = 0;
    if (in && PEM_bytes_read_bio(&der, &len, NULL, PEM_STRING_X509_CRL, in, sg_pem_no_password,
                                 NULL) == 1) {
        sg_buf_clear(data);
        sg_buf_add(data, der, (size_t)len); /* shorter than what it was wrapped in */
    }
    OPENSSL_free(der);
    BIO_free(in);
    ERR_clear_error();
}
