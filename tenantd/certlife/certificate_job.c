/* certificate.install: a certificate that a person brings. */
#include "certlife/install.h"
#include "certlife/kinds.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define CERTIFICATES_MAX 10
#define DER_MAX          ((size_t)64 * 1024)

static bool handed_read(struct sg_installation *in, struct sg_error *err)
{
    json_t *list = json_object_get(in->job->payload, "certificates"), *item;
    size_t i;
    if (json_array_size(list) == 0 || json_array_size(list) > CERTIFICATES_MAX)
        return sg_fail(err, SG_E_INVALID, "1 to %d certificates are taken", CERTIFICATES_MAX);
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        size_t len = json_string_length(item);
        if (!text || len == 0 || len % 4 != 0 || len / 4 * 3 > DER_MAX)
            return sg_fail(err, SG_E_INVALID, "certificate %zu is not base64", i + 1);
        uint8_t *der = sg_arena_alloc(in->job->arena, len / 4 * 3 + 1);
        int n = EVP_DecodeBlock(der, (const unsigned char *)text, (int)len);
        size_t padding = (text[len - 1] == '=') + (text[len - 2] == '=');
        bool ok = n > 0 && sg_x509_push(in->handed, sg_bytes_of(der, (size_t)n - padding));
        ERR_clear_error();
        if (!ok)
            return sg_fail(err, SG_E_INVALID, "certificate %zu is not a certificate", i + 1);
    }
    return true;
}

struct end {
    struct sg_installation *in;
    json_t *result;
};

static bool install(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct end *end = arg;
    if (!sg_installation_commit(tx, end->in, err))
        return false;
    json_decref(end->result);
    end->result = json_pack("{s:s}", "certificate_id", end->in->certificate_id);
    return true;
}

bool sg_certificate_install_job(struct sg_job *job, struct sg_error *err)
{
    struct sg_installation in = {.job = job, .life = job->ctx, .handed = sk_X509_new_null()};
    struct end end = {.in = &in};
    bool ok = sg_job_string(job, "domain_id", &in.domain_id, err) && handed_read(&in, err) &&
              sg_installation_check(&in, err) &&
              sg_job_commit(job, install, &end, &end.result, err);
    json_decref(end.result);
    sg_installation_free(&in);
    return ok;
}
