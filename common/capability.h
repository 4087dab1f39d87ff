/*
 * What a partner's S/MIME software can do (SMIMECapabilities, RFC 8551 §2.5.2; REQ-84), as a set of
 * bits: read by gatewayd out of signatures, set by hand through the API, kept in the database. The
 * values of bits that are in use never change.
 */
#ifndef SG_COMMON_CAPABILITY_H
#define SG_COMMON_CAPABILITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sg_smime_can {
    SG_SMIME_CAN_RC2 = 1 << 0,
    SG_SMIME_CAN_DES = 1 << 1,
    SG_SMIME_CAN_3DES = 1 << 2,
    SG_SMIME_CAN_AES128_CBC = 1 << 3,
    SG_SMIME_CAN_AES192_CBC = 1 << 4,
    SG_SMIME_CAN_AES256_CBC = 1 << 5,
    SG_SMIME_CAN_AES128_GCM = 1 << 6,
    SG_SMIME_CAN_AES192_GCM = 1 << 7,
    SG_SMIME_CAN_AES256_GCM = 1 << 8,
    SG_SMIME_CAN_RSA_OAEP = 1 << 9, /* with SHA-256, for hash and mask: what we send */
    SG_SMIME_CAN_RSA_PSS = 1 << 10,
    SG_SMIME_CAN_ECDH = 1 << 11,
    SG_SMIME_CAN_SHA256 = 1 << 12,
    SG_SMIME_CAN_SHA384 = 1 << 13,
    SG_SMIME_CAN_SHA512 = 1 << 14,
};
#define SG_CAPABILITY_COUNT 15

/* Of the bit 1 << i: "aes256-gcm". Ended by NULL. */
extern const char *const sg_capability_names[SG_CAPABILITY_COUNT + 1];
/* The bit of a name; 0: none of ours. */
uint32_t sg_capability_bit(const char *name);
/* Names with a space between, "none" for none; cut off where it does not fit. */
#define SG_CAPABILITY_TEXT 160
void sg_capability_text(uint32_t capabilities, char out[SG_CAPABILITY_TEXT]);

#endif
