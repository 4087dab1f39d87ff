#include "common/random.h"
#include "smime/base64.h"
#include "smime/smime_internal.h"

/* RFC 8551 §3.5.3.2: the digest of a SignedData of ours, as multipart/signed names it. */
static const char *micalg_of(struct sg_bytes signature)
{
    static const int path[] = {SG_BER_SEQUENCE, SG_BER_EXPLICIT(0), SG_BER_SEQUENCE, SG_BER_SET,
                               SG_BER_SEQUENCE};
    struct sg_ber in = sg_ber_of(signature);
    struct sg_tlv tlv = {0};
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        while (sg_ber_next(&in, &tlv) && tlv.tag != path[i])
            ; /* what stands before it */
        in = sg_ber_of(tlv.content);
    }
    return sg_ber_expect(&in, SG_BER_OID, &tlv) && sg_bytes_equal(tlv.content, sg_oid_sha384)
               ? "sha-384"
               : "sha-256";
}

bool sg_smime_wrap(struct sg_bytes signature, struct sg_smime_wrapping *w, struct sg_error *err)
{
    uint8_t random[16];
    char boundary[64] = "=_sealgate_";
    sg_random(random, sizeof random);
    /* 128 random bits: no content holds it, by chance or by intent. "=_" cannot occur in base64 or
     * quoted-printable text. */
    sg_hex_lower(random, sizeof random, boundary + strlen(boundary));
    sg_buf_addf(&w->field,
                "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n"
                "\tmicalg=%s; boundary=\"%s\"\r\n",
                micalg_of(signature), boundary);
    sg_buf_addf(&w->before, "--%s\r\n", boundary);
    sg_buf_addf(&w->behind,
                "\r\n--%s\r\nContent-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"
                "Content-Transfer-Encoding: base64\r\n"
                "Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n",
                boundary);
    if (!sg_base64_encode(signature, &w->behind, err))
        return false;
    sg_buf_addf(&w->behind, "--%s--\r\n", boundary);
    return true;
}

void sg_smime_wrapping_free(struct sg_smime_wrapping *w)
{
    sg_buf_free(&w->field);
    sg_buf_free(&w->before);
    sg_buf_free(&w->behind);
}
