#include "request/request.h"

#include "smime/base64.h"

#include <openssl/err.h>
#include <openssl/pkcs7.h>

#define DCA "domain-confidentiality-authority"

static bool is_of(const char *address, const char *local)
{
    size_t n = strlen(local);
    return strncasecmp(address, local, n) == 0 && address[n] == '@' &&
           !strchr(address + n + 1, '@');
}

bool sg_request_is_asked(const char *address)
{
    return is_of(address, SG_REQUEST_ASKED);
}

bool sg_request_is_answered(const char *address)
{
    return is_of(address, SG_REQUEST_ANSWERED);
}

const char *sg_request_target(struct sg_arena *arena, const char *subject)
{
    size_t len = strlen(subject);
    while (len && strchr(" \t<", *subject))
        subject++, len--;
    while (len && strchr(" \t>", subject[len - 1]))
        len--;
    if (!memchr(subject, '@', len) || len > 320)
        return "";
    char *out = sg_arena_str(arena, sg_bytes_of(subject, len));
    for (char *p = out; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return out;
}

static void head_write(const struct sg_request_mail *mail, const char *local, const char *subject,
                       struct sg_buf *out)
{
    char date[40];
    sg_time_rfc5322(mail->date, date);
    sg_buf_addf(out,
                "From: %s@%s\r\n"
                "To: %s\r\n"
                "Subject: %s\r\n"
                "Date: %s\r\n"
                "Message-ID: <%s@%s>\r\n",
                local, mail->from_domain, mail->to, subject, date, mail->id, mail->hostname);
    if (*mail->in_reply_to)
        sg_buf_addf(out, "In-Reply-To: <%s>\r\n", mail->in_reply_to);
}

/* Not Auto-Submitted: that asks for no answer (RFC 3834 §5.1), and an answer is all this is for. */
void sg_request_write(const struct sg_request_mail *mail, const char *partner, struct sg_buf *out)
{
    const char *target = DCA "@";
    SG_AUTO_BUF subject = {0};
    sg_buf_addf(&subject, "%s%s", target, partner);
    head_write(mail, SG_REQUEST_ANSWERED, (const char *)subject.data, out);
    sg_buf_addf(
        out,
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "The gateway of %s asks for the certificate of\r\n"
        "%s,\r\n"
        "to encrypt mail to %s with it.\r\n"
        "\r\n"
        "Please answer to the address in From with the certificate attached, as .cer or .crt,"
        "\r\nor with the certificates above it as .p7b or .p7c.\r\n",
        mail->from_domain, (const char *)subject.data, partner);
}

static bool attachment_write(const char *boundary, const char *type, const char *name,
                             struct sg_bytes der, struct sg_buf *out, struct sg_error *err)
{
    sg_buf_addf(out,
                "\r\n--%s\r\nContent-Type: %s; name=\"%s\"\r\n"
                "Content-Transfer-Encoding: base64\r\n"
                "Content-Disposition: attachment; filename=\"%s\"\r\n\r\n",
                boundary, type, name, name);
    return sg_base64_encode(der, out, err);
}

/* A SignedData without content and signers (RFC 8551 §3.8: certs-only). */
static PKCS7 *bundle(X509 *certificate, STACK_OF(X509) *chain)
{
    PKCS7 *p7 = PKCS7_new();
    bool ok = p7 && PKCS7_set_type(p7, NID_pkcs7_signed) && PKCS7_content_new(p7, NID_pkcs7_data) &&
              PKCS7_set_detached(p7, 1) && PKCS7_add_certificate(p7, certificate);
    for (int i = 0; ok && i < sk_X509_num(chain); i++)
        ok = PKCS7_add_certificate(p7, sk_X509_value(chain, i));
    if (ok)
        return p7;
    PKCS7_free(p7);
    return NULL;
}

static bool ders_make(X509 *certificate, STACK_OF(X509) *chain, struct sg_bytes *cer_r,
                      struct sg_bytes *p7c_r, struct sg_error *err)
{
    unsigned char *cer = NULL, *p7c = NULL;
    PKCS7 *p7 = bundle(certificate, chain);
    int p7c_len = p7 ? i2d_PKCS7(p7, &p7c) : 0, cer_len = i2d_X509(certificate, &cer);
    PKCS7_free(p7);
    *cer_r = sg_bytes_of(cer, cer_len > 0 ? (size_t)cer_len : 0);
    *p7c_r = sg_bytes_of(p7c, p7c_len > 0 ? (size_t)p7c_len : 0);
    return (cer_len > 0 && p7c_len > 0) ||
           sg_fail_openssl(err, SG_E_CRYPTO, "the certificates cannot be bundled");
}

bool sg_request_answer_write(const struct sg_request_mail *mail, X509 *certificate,
                             STACK_OF(X509) *chain, struct sg_buf *out, struct sg_error *err)
{
    SG_AUTO_BUF subject = {0}, boundary = {0};
    struct sg_bytes cer, p7c;
    sg_buf_addf(&boundary, "=_%s", mail->id);
    sg_buf_addf(&subject, DCA "@%s", mail->from_domain);
    const char *mark = (const char *)boundary.data;
    head_write(mail, SG_REQUEST_ASKED, (const char *)subject.data, out);
    sg_buf_addf(out,
                "Auto-Submitted: auto-replied\r\n"
                "MIME-Version: 1.0\r\n"
                "Content-Type: multipart/mixed; boundary=\"%s\"\r\n"
                "\r\n"
                "--%s\r\n"
                "Content-Type: text/plain; charset=us-ascii\r\n"
                "Content-Transfer-Encoding: 7bit\r\n"
                "\r\n"
                "The certificate of %s,\r\n"
                "alone (.cer) and with those above it (.p7c).\r\n",
                mark, mark, (const char *)subject.data);
    bool ok =
        ders_make(certificate, chain, &cer, &p7c, err) &&
        attachment_write(mark, "application/pkcs7-mime; smime-type=certs-only",
                         "domain-certificate.p7c", p7c, out, err) &&
        attachment_write(mark, "application/pkix-cert", "domain-certificate.cer", cer, out, err);
    sg_buf_addf(out, "\r\n--%s--\r\n", mark);
    OPENSSL_free((void *)cer.data);
    OPENSSL_free((void *)p7c.data);
    return ok;
}
