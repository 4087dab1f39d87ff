#include "smime/capabilities.h"

#include "smime/algorithm.h"
#include "smime/ber.h"

#define LITERAL(s)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(s), sizeof(s) - 1                                                        \
    }

#define PKCS    "\x2a\x86\x48\x86\xf7\x0d" /* 1.2.840.113549 */
#define RSADSI  PKCS "\x01\x01"
#define CIPHERS PKCS "\x03"
#define OIW     "\x2b\x0e\x03\x02"             /* 1.3.14.3.2 */
#define NIST    "\x60\x86\x48\x01\x65\x03\x04" /* 2.16.840.1.101.3.4 */
#define ECDSA   "\x2a\x86\x48\xce\x3d\x04\x03" /* 1.2.840.10045.4.3 */
#define SECG    "\x2b\x81\x04\x01\x0b"         /* 1.3.132.1.11: RFC 5753 §7.1.4 */

static const struct {
    struct sg_bytes oid;
    uint32_t bit;
} known[] = {
    {LITERAL(CIPHERS "\x02"), SG_SMIME_CAN_RC2},
    {LITERAL(OIW "\x07"), SG_SMIME_CAN_DES},
    {LITERAL(CIPHERS "\x07"), SG_SMIME_CAN_3DES},
    {LITERAL(NIST "\x01\x02"), SG_SMIME_CAN_AES128_CBC},
    {LITERAL(NIST "\x01\x16"), SG_SMIME_CAN_AES192_CBC},
    {LITERAL(NIST "\x01\x2a"), SG_SMIME_CAN_AES256_CBC},
    {LITERAL(NIST "\x01\x06"), SG_SMIME_CAN_AES128_GCM},
    {LITERAL(NIST "\x01\x1a"), SG_SMIME_CAN_AES192_GCM},
    {LITERAL(NIST "\x01\x2e"), SG_SMIME_CAN_AES256_GCM},
    {LITERAL(RSADSI "\x0a"), SG_SMIME_CAN_RSA_PSS},
    {LITERAL(SECG "\x01"), SG_SMIME_CAN_ECDH}, /* dhSinglePass-stdDH-sha256kdf-scheme */
    {LITERAL(SECG "\x02"), SG_SMIME_CAN_ECDH},
    {LITERAL(SECG "\x03"), SG_SMIME_CAN_ECDH},
    {LITERAL(NIST "\x02\x01"), SG_SMIME_CAN_SHA256},
    {LITERAL(NIST "\x02\x02"), SG_SMIME_CAN_SHA384},
    {LITERAL(NIST "\x02\x03"), SG_SMIME_CAN_SHA512},
    {LITERAL(RSADSI "\x0b"), SG_SMIME_CAN_SHA256},
    {LITERAL(RSADSI "\x0c"), SG_SMIME_CAN_SHA384},
    {LITERAL(RSADSI "\x0d"), SG_SMIME_CAN_SHA512},
    {LITERAL(ECDSA "\x02"), SG_SMIME_CAN_SHA256},
    {LITERAL(ECDSA "\x03"), SG_SMIME_CAN_SHA384},
    {LITERAL(ECDSA "\x04"), SG_SMIME_CAN_SHA512},
};

/* The next element in strict DER: a tag of one octet, a definite length in its shortest form. */
static bool der_next(struct sg_ber *in, struct sg_tlv *tlv_r)
{
    size_t have = (size_t)(in->end - in->p), head = 2, len;
    if (have < 2 || (in->p[0] & 0x1f) == 0x1f)
        return false;
    len = in->p[1];
    if (len >= 0x80) {
        size_t octets = len - 0x80;
        if (octets == 0 || octets > 2 || have < 2 + octets || in->p[2] == 0)
            return false;
        len = 0;
        for (size_t i = 0; i < octets; i++)
            len = len << 8 | in->p[head++];
        if (len < 0x80)
            return false;
    }
    if (len > have - head)
        return false;
    *tlv_r = (struct sg_tlv){.tag = in->p[0],
                             .content = sg_bytes_of(in->p + head, len),
                             .whole = sg_bytes_of(in->p, head + len)};
    in->p += head + len;
    return true;
}

static bool der_expect(struct sg_ber *in, int tag, struct sg_tlv *tlv_r)
{
    return der_next(in, tlv_r) && tlv_r->tag == tag;
}

/* AlgorithmIdentifier of that OID; parameters_r what stands behind it. */
static bool algorithm_is(struct sg_bytes sequence, struct sg_bytes oid, struct sg_ber *parameters_r)
{
    struct sg_tlv algorithm;
    *parameters_r = sg_ber_of(sequence);
    return der_expect(parameters_r, SG_BER_OID, &algorithm) &&
           sg_bytes_equal(algorithm.content, oid);
}

/* An element of RSAES-OAEP-params: under its explicit tag, or bare as the examples of RFC 3560 §5
 * have it. */
static bool oaep_part(struct sg_ber *in, int number, struct sg_tlv *part_r)
{
    if (!der_next(in, part_r))
        return false;
    if (part_r->tag != SG_BER_EXPLICIT(number))
        return part_r->tag == SG_BER_SEQUENCE;
    struct sg_ber inside = sg_ber_of(part_r->content);
    return der_expect(&inside, SG_BER_SEQUENCE, part_r) && !sg_ber_more(&inside);
}

/* SHA-256 and MGF1 with SHA-256: what is left out is SHA-1 (RFC 4055 §4.1), which we do not send.
 */
static bool oaep_is_ours(struct sg_bytes parameters)
{
    struct sg_ber outer = sg_ber_of(parameters), in, rest;
    struct sg_tlv sequence, hash, mask, mask_hash;
    if (!der_expect(&outer, SG_BER_SEQUENCE, &sequence))
        return false;
    in = sg_ber_of(sequence.content);
    return oaep_part(&in, 0, &hash) && algorithm_is(hash.content, sg_oid_sha256, &rest) &&
           oaep_part(&in, 1, &mask) && algorithm_is(mask.content, sg_oid_mgf1, &rest) &&
           der_expect(&rest, SG_BER_SEQUENCE, &mask_hash) &&
           algorithm_is(mask_hash.content, sg_oid_sha256, &rest) && !sg_ber_more(&in);
}

static uint32_t bit_of(struct sg_bytes oid, struct sg_bytes parameters)
{
    if (sg_bytes_equal(oid, sg_oid_rsaes_oaep))
        return oaep_is_ours(parameters) ? SG_SMIME_CAN_RSA_OAEP : 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (sg_bytes_equal(known[i].oid, oid))
            return known[i].bit;
    return 0;
}

/* SMIMECapability ::= SEQUENCE { capabilityID, parameters ANY DEFINED BY capabilityID OPTIONAL } */
static bool capability_read(struct sg_ber *list, uint32_t *bit_r)
{
    struct sg_tlv sequence, id, parameters = {0};
    if (!der_expect(list, SG_BER_SEQUENCE, &sequence))
        return false;
    struct sg_ber in = sg_ber_of(sequence.content);
    if (!der_expect(&in, SG_BER_OID, &id) || id.content.len == 0 ||
        (sg_ber_more(&in) && !der_next(&in, &parameters)) || sg_ber_more(&in))
        return false;
    *bit_r = bit_of(id.content, parameters.whole);
    return true;
}

uint32_t sg_smime_capabilities_parse(struct sg_bytes der)
{
    struct sg_ber in = sg_ber_of(der), list;
    struct sg_tlv sequence;
    uint32_t all = 0, bit;
    if (der.len > SG_SMIME_CAPABILITIES_MAX || !der_expect(&in, SG_BER_SEQUENCE, &sequence) ||
        sg_ber_more(&in))
        return 0;
    for (list = sg_ber_of(sequence.content); sg_ber_more(&list); all |= bit)
        if (!capability_read(&list, &bit))
            return 0;
    return all;
}
