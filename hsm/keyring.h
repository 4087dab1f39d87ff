/*
 * The key-encryption keys on the token, by generation. A generation is three keys, none of which
 * can leave the token:
 *
 *   <kek>-<n>       AES-256, wraps private keys and nothing else (CKA_UNWRAP_TEMPLATE)
 *   <kek>-data-<n>  AES-256, wraps data keys and nothing else
 *   <kek>-mac-<n>   HMAC-SHA-256, binds what was wrapped to what it is for (blob.h)
 *
 * New things are wrapped under the newest generation; the older ones go on unwrapping. A generation
 * of which a part is missing, or is there twice, does neither: which of two keys it was would be a
 * matter of luck.
 */
#ifndef SG_HSM_KEYRING_H
#define SG_HSM_KEYRING_H

#include "hsm/pool.h"

#define SG_KEK_LABEL_MAX   48
#define SG_KEK_GENERATIONS 64
#define SG_MAC_SIZE        32

struct sg_kek {
    unsigned generation;
    CK_OBJECT_HANDLE kek, data, mac; /* 0: not there */
    bool twice;                      /* one of them */
};

struct sg_keyring;

struct sg_keyring *sg_keyring_new(const char *label);
void sg_keyring_free(struct sg_keyring **keyring);

/* Of a generation, 0: the newest. SG_RV_REFUSED with SG_E_HSM_KEY where the token has none, with
 * SG_E_HSM_UNAVAILABLE where it has one twice. */
CK_RV sg_keyring_get(struct sg_keyring *keyring, const struct sg_session *session,
                     unsigned generation, struct sg_kek *kek_r, struct sg_error *err);
/* What is on the token is read anew when it is asked for next. */
void sg_keyring_renew(struct sg_keyring *keyring);
CK_RV sg_kek_mac(const struct sg_session *session, const struct sg_kek *kek, struct sg_bytes data,
                 uint8_t mac_r[SG_MAC_SIZE]);

/* Reads all generations of which the token has anything, in ascending order. */
CK_RV sg_kek_list(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, const char *label,
                  struct sg_kek keks[SG_KEK_GENERATIONS], size_t *count_r);
/* Makes a generation in a session that may write; where that fails, destroys what it has made. */
CK_RV sg_kek_make(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, const char *label,
                  unsigned generation);

#endif
