/*
 * Keys by name: finds a token key once by its CKA_ID, unwraps a wrapped one once, and keeps the
 * handles. Makes and destroys keys and data keys. What is called here runs as work of the pool,
 * in a session on loan (pool.h).
 *
 * A token key's label says what it is for, "class/tenant/domain", and is checked when it is found;
 * a wrapped key's blob is bound to the same by a MAC (blob.h). REQ-132
 */
#ifndef SG_HSM_KEYSTORE_H
#define SG_HSM_KEYSTORE_H

#include "hsm/blob.h"
#include "hsm/cache.h"

struct sg_keystore;

struct sg_keystore_options {
    const char *kek_label;
    size_t wrapped_cache, token_cache; /* entries */
    int64_t wait_ms;                   /* for another thread that loads the same key */
};

struct sg_keystore *sg_keystore_new(const struct sg_keystore_options *options);
/* After all sessions have ended. */
void sg_keystore_free(struct sg_keystore **store);

/* Key-encryption keys were made: what is on the token is read anew. */
void sg_keystore_renew(struct sg_keystore *store);

/* key: class, kind, id, tenant, domain and blob of it. SG_RV_REFUSED with SG_E_HSM_KEY. */
CK_RV sg_keystore_acquire(struct sg_keystore *store, const struct sg_session *session,
                          const struct sg_hsm_request *key, struct sg_entry **entry_r,
                          struct sg_error *err);
/* result: what the token said to the use of it. */
void sg_keystore_release(struct sg_keystore *store, const struct sg_session *session,
                         const struct sg_hsm_request *key, struct sg_entry *entry, CK_RV result);

/* What an operation gives: `first` and `second` of the protocol's table. */
struct sg_result {
    size_t first_len, second_len;
    uint8_t first[SG_HSM_FIRST_MAX], second[SG_HSM_SECOND_MAX];
};

/* Of key->number bits. A token key that exists already is given back as it is. */
CK_RV sg_keystore_generate(struct sg_keystore *store, const struct sg_session *session,
                           const struct sg_hsm_request *key, struct sg_result *result,
                           struct sg_error *err);
/* That a token key is not there is no error: it is destroyed. */
CK_RV sg_keystore_destroy(struct sg_keystore *store, const struct sg_session *session,
                          const struct sg_hsm_request *key, struct sg_error *err);

CK_RV sg_data_key_make(struct sg_keystore *store, const struct sg_session *session,
                       const struct sg_hsm_request *names, struct sg_result *result,
                       struct sg_error *err);
CK_RV sg_data_key_open(struct sg_keystore *store, const struct sg_session *session,
                       const struct sg_hsm_request *names, struct sg_result *result,
                       struct sg_error *err);
/* Whether there is a KEK to wrap with. */
CK_RV sg_keystore_check(struct sg_keystore *store, const struct sg_session *session,
                        struct sg_error *err);

/* On CKR_DEVICE_MEMORY. Whether it is worth trying again: unwrapped keys were dropped. */
SG_MUST_USE bool sg_keystore_evict(struct sg_keystore *store, const struct sg_session *session);

#endif
