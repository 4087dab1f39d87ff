#include "certlife/publication.h"

#include "certlife/csr.h"
#include "certlife/http.h"
#include "ldapclient/client.h"

#include <ldap.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define LOOK_LEAST       (SG_SECOND / 2)
#define LOOK_MOST        (10 * 60 * SG_SECOND)
#define CERTIFICATES_MAX 20
#define ANSWER_MAX       ((size_t)1 << 20)
#define CRL_MAX          ((size_t)16 << 20)

sg_time sg_look_again(sg_time since, sg_time now)
{
    sg_time pause = (now - since) / 4;
    return now + (pause < LOOK_LEAST ? LOOK_LEAST : pause > LOOK_MOST ? LOOK_MOST : pause);
}

bool sg_publication_look(const struct sg_certlife *life, struct sg_arena *arena,
                         const struct sg_authority_row *authority, const char *domain,
                         struct sg_bytes der, bool *there_r, struct sg_error *err)
{
    static const char *const attributes[] = {"userCertificate", NULL};
    SG_AUTO_BUF filter;
    sg_buf_init(&filter, 0);
    sg_buf_adds(&filter, "(mail=" SG_DCA_NAME "@");
    sg_ldap_escape(&filter, sg_bytes_str(domain));
    sg_buf_adds(&filter, ")");
    struct sg_ldap_query query = {.base_dn = authority->directory_base_dn,
                                  .filter = (const char *)filter.data,
                                  .scope = LDAP_SCOPE_SUBTREE,
                                  .attributes = attributes,
                                  .max_entries = CERTIFICATES_MAX,
                                  .max_values = CERTIFICATES_MAX};
    struct sg_ldap_values values = {0};
    struct sg_ldap *ldap =
        sg_ldap_new(authority->directory_url, authority->directory_ca_pem, ANSWER_MAX);
    sg_ldap_account(ldap, authority->directory_bind_dn, life->credentials_dir,
                    authority->directory_credential);
    bool ok = sg_ldap_search(ldap, &query, sg_deadline_in(life->timeout_ms), arena, &values, err);
    sg_ldap_free(&ldap);
    *there_r = false;
    for (size_t i = 0; ok && i < values.count; i++)
        *there_r |= sg_bytes_equal(values.items[i], der);
    if (ok && !*there_r && values.truncated)
        return sg_fail(err, SG_E_DIRECTORY, "%.120s: it has too many certificates of %.100s",
                       authority->directory_url, domain);
    return ok;
}

/* RFC 4516: ldap://host:port/dn?attribute?scope?filter */
static bool ldap_fetch(const struct sg_certlife *life, const char *url, struct sg_buf *body,
                       struct sg_error *err)
{
    LDAPURLDesc *parts = NULL;
    if (ldap_url_parse(url, &parts) != LDAP_URL_SUCCESS || !parts->lud_host || !*parts->lud_host ||
        !parts->lud_dn || !parts->lud_attrs || !parts->lud_attrs[0]) {
        ldap_free_urldesc(parts);
        return sg_fail(err, SG_E_CRL, "%.150s: not an address of one LDAP attribute", url);
    }
    char server[300];
    snprintf(server, sizeof server, "%s://%.255s:%d", parts->lud_scheme, parts->lud_host,
             parts->lud_port);
    struct sg_ldap_query query = {
        .base_dn = parts->lud_dn,
        .filter = parts->lud_filter ? parts->lud_filter : "(objectClass=*)",
        .scope = parts->lud_scope == LDAP_SCOPE_DEFAULT ? LDAP_SCOPE_BASE : parts->lud_scope,
        .attributes = (const char *const *)parts->lud_attrs,
        .max_entries = 2,
        .max_values = 1};
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_ldap *ldap = sg_ldap_new(server, NULL, body->limit);
    struct sg_ldap_values values = {0};
    bool ok = sg_ldap_search(ldap, &query, sg_deadline_in(life->timeout_ms), arena, &values, err);
    sg_ldap_free(&ldap);
    ldap_free_urldesc(parts);
    return ok &&
           ((values.count == 1 && sg_buf_add(body, values.items[0].data, values.items[0].len)) ||
            sg_fail(err, SG_E_CRL, "%.150s: there is no list, or it is too large", url));
}

static bool fetch(const struct sg_certlife *life, const char *url, struct sg_buf *body,
                  struct sg_error *err)
{
    sg_buf_init(body, CRL_MAX);
    if (strncasecmp(url, "ldap", 4) == 0)
        return ldap_fetch(life, url, body, err);
    SG_AUTO_HTTP_ANSWER answer = {0};
    struct sg_http_access access = {.timeout_ms = life->timeout_ms};
    struct sg_http_request request = {.url = url, .plain_allowed = true, .max_bytes = CRL_MAX};
    if (!sg_http_ask(&access, &request, &answer, err))
        return false;
    if (answer.status != 200)
        return sg_fail(err, SG_E_CRL, "%.150s: it answered %ld", url, answer.status);
    return sg_buf_add(body, answer.body.data, answer.body.len);
}

static bool signed_by(X509_CRL *crl, STACK_OF(X509) *issuers)
{
    for (int i = 0; i < sk_X509_num(issuers); i++) {
        X509 *x = sk_X509_value(issuers, i);
        if (X509_NAME_cmp(X509_get_subject_name(x), X509_CRL_get_issuer(crl)) == 0 &&
            X509_CRL_verify(crl, X509_get0_pubkey(x)) == 1)
            return true;
    }
    return false;
}

static bool look_up(struct sg_bytes der, X509 *certificate, STACK_OF(X509) *issuers,
                    const char *url, bool *listed_r, struct sg_error *err)
{
    const unsigned char *p = der.data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.len);
    X509_REVOKED *entry = NULL;
    bool ok = crl && signed_by(crl, issuers) &&
              X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(certificate)) == 0;
    if (ok) /* 2: removed from the list */
        *listed_r = X509_CRL_get0_by_cert(crl, &entry, certificate) == 1;
    X509_CRL_free(crl);
    ERR_clear_error();
    return ok || sg_fail(err, SG_E_CRL, "%.150s: not a list of the certificate's issuer", url);
}

static bool ask(const struct sg_certlife *life, const char *url, X509 *certificate,
                STACK_OF(X509) *issuers, bool *listed_r, struct sg_error *err)
{
    SG_AUTO_BUF body = {0};
    return fetch(life, url, &body, err) &&
           look_up(sg_buf_bytes(&body), certificate, issuers, url, listed_r, err);
}

/* The first address that answers. */
bool sg_revocation_listed(const struct sg_certlife *life, X509 *certificate,
                          STACK_OF(X509) *issuers, bool *listed_r, struct sg_error *err)
{
    STACK_OF(DIST_POINT) *points =
        X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    bool ok = sg_fail(err, SG_E_CRL, "it names no revocation list");
    *listed_r = false;
    for (int i = 0; !ok && i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;
        GENERAL_NAMES *full = name && name->type == 0 ? name->name.fullname : NULL;
        for (int j = 0; !ok && j < sk_GENERAL_NAME_num(full); j++) {
            const GENERAL_NAME *g = sk_GENERAL_NAME_value(full, j);
            char url[500];
            if (g->type != GEN_URI)
                continue;
            snprintf(url, sizeof url, "%.*s", ASN1_STRING_length(g->d.uniformResourceIdentifier),
                     (const char *)ASN1_STRING_get0_data(g->d.uniformResourceIdentifier));
            ok = ask(life, url, certificate, issuers, listed_r, err);
        }
    }
    sk_DIST_POINT_pop_free(points, DIST_POINT_free);
    return ok;
}

bool sg_publication_watch(struct sg_tx *tx, const char *tenant_id, const char *certificate_id,
                          struct sg_error *err)
{
    char payload[80], unique[80];
    snprintf(payload, sizeof payload, "{\"certificate_id\": \"%s\"}", certificate_id);
    snprintf(unique, sizeof unique, "certificate.publication %s", certificate_id);
    struct sg_job_new job = {.tenant_id = tenant_id,
                             .kind = "certificate.publication",
                             .payload_json = payload,
                             .max_attempts = 100,
                             .priority = SG_JOB_NORMAL,
                             .unique_key = unique};
    return sg_job_insert(tx, &job, NULL, err);
}
