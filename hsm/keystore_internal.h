/* What keystore.c, keygen.c and datakey.c share. */
#ifndef SG_HSM_KEYSTORE_INTERNAL_H
#define SG_HSM_KEYSTORE_INTERNAL_H

#include "common/deadline.h"
#include "hsm/keystore.h"
#include "hsm/verified.h"

#include <pthread.h>

#define SG_LABEL_MAX 128
#define SG_STRIPES   16

struct sg_keystore {
    struct sg_keyring *keyring;
    struct sg_cache *wrapped, *token;
    struct sg_verified *verified; /* of the wrapped ones */
    int64_t wait_ms;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t made;
    bool making[SG_STRIPES]; /* by id: a token key is made or destroyed, by one thread */
};

/* What keys of a class may do: the HSM itself refuses the rest. */
static inline bool sg_class_signs(enum sg_hsm_class class)
{
    return class != SG_HSM_ARCHIVE;
}

static inline bool sg_class_decrypts(enum sg_hsm_class class)
{
    return class != SG_HSM_EVIDENCE;
}

/* What a private key that is unwrapped or made is allowed: SIGN, then DECRYPT or DERIVE. */
#define SG_P11_USES(public_type, class)                                                            \
    SG_P11_BOOL(CKA_SIGN, sg_class_signs(class)),                                                  \
        SG_P11_BOOL(CKA_DECRYPT, (public_type) == SG_KEY_RSA && sg_class_decrypts(class)),         \
        SG_P11_BOOL(CKA_DERIVE, (public_type) != SG_KEY_RSA && sg_class_decrypts(class))

/* The 16 bytes behind an id of any prefix; the protocol has validated it. */
void sg_key_id_bytes(struct sg_bytes id, uint8_t out[SG_ID_RANDOM]);
/* One thread makes or destroys token keys of such an id; false: another did until the deadline. */
SG_MUST_USE bool sg_key_making_begin(struct sg_keystore *store, const struct sg_hsm_request *key,
                                     sg_deadline deadline);
void sg_key_making_end(struct sg_keystore *store, const struct sg_hsm_request *key);
/* "class/tenant/domain"; returns its length. */
size_t sg_key_label(const struct sg_hsm_request *key, char out[SG_LABEL_MAX]);
/* Private keys with that CKA_ID on the token, at most two; the login is checked when there is none.
 */
CK_RV sg_token_key_find(const struct sg_session *session, const struct sg_hsm_request *key,
                        CK_OBJECT_HANDLE found[2], CK_ULONG *count_r);
/* That one object is this key and may be used: its label, its public half. Of a key on a curve the
 * public half is an object of its own, which proves itself by a signature of the private one. */
CK_RV sg_token_key_check(const struct sg_session *session, const struct sg_hsm_request *key,
                         CK_OBJECT_HANDLE object, struct sg_public_key *public_r,
                         struct sg_error *err);
/* A private key on a curve does not carry its public half: that this one is it, a signature shows.
 */
CK_RV sg_ec_prove(const struct sg_session *session, CK_OBJECT_HANDLE object,
                  const struct sg_public_key *public, struct sg_error *err);
/* The public half of an object that carries it: any public key, a private one of RSA. */
CK_RV sg_object_public(const struct sg_session *session, CK_OBJECT_HANDLE object,
                       struct sg_public_key *public_r, struct sg_error *err);
/* Public keys with that CKA_ID and label on the token: halves of keys on curves. */
CK_RV sg_token_public_find(const struct sg_session *session, const struct sg_hsm_request *key,
                           CK_OBJECT_HANDLE found[2], CK_ULONG *count_r);
/* Destroys token objects. */
CK_RV sg_token_objects_destroy(const struct sg_session *session, const CK_OBJECT_HANDLE *found,
                               CK_ULONG count);
/* Adds the MAC and encodes. */
CK_RV sg_blob_seal(const struct sg_session *session, const struct sg_kek *kek, struct sg_blob *blob,
                   const struct sg_hsm_request *names, struct sg_result *result,
                   struct sg_error *err);
/* Decodes, finds the KEK, verifies the MAC. */
CK_RV sg_blob_unseal(struct sg_keystore *store, const struct sg_session *session,
                     struct sg_bytes data, enum sg_blob_type type,
                     const struct sg_hsm_request *names, struct sg_blob *blob_r,
                     struct sg_kek *kek_r, struct sg_error *err);

#endif
