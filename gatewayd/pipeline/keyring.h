/*
 * A domain's own certificates with their keys behind hsmd: the newest valid one signs (REQ-37),
 * all of them decrypt (REQ-38), the revoked ones too.
 */
#ifndef SG_PIPELINE_KEYRING_H
#define SG_PIPELINE_KEYRING_H

#include "pipeline/gateway.h"
#include "policy/policy.h"
#include "smime/smime.h"

struct sg_keyring_item {
    struct sg_gateway *gw;
    struct sg_hsm_key key;
    X509 *certificate;
    STACK_OF(X509) *chain;
    bool revoked; /* decrypts what was on its way, and never signs (REQ-174) */
    bool waiting; /* not yet in the directory: signs only where no other can */
};

struct sg_keyring {
    const char *domain_id, *domain;
    struct sg_keyring_item *items; /* newest first; in the arena, certificates freed by _free */
    size_t count;
};

SG_MUST_USE bool sg_keyring_load(struct sg_gateway *gw, struct sg_arena *arena,
                                 const char *domain_id, const char *domain,
                                 struct sg_keyring *keyring_r, struct sg_error *err);
void sg_keyring_free(struct sg_keyring *keyring);
#define SG_AUTO_KEYRING __attribute__((cleanup(sg_keyring_free))) struct sg_keyring

/*
 * The newest certificate that is valid for signing now; one that waits for its publication only
 * where no other is; NULL and the newest one's status where none is. false only where the question
 * could not be asked.
 */
SG_MUST_USE bool sg_keyring_signer(struct sg_keyring *keyring, struct sg_arena *arena, sg_time now,
                                   struct sg_keyring_item **item_r, struct sg_cert_facts *facts_r,
                                   struct sg_error *err);

/* smime's callbacks; ctx is an item, key is an item. */
bool sg_keyring_sign(void *item, const struct sg_smime_to_sign *what, struct sg_buf *sig_r,
                     struct sg_error *err);
bool sg_keyring_decrypt(void *ctx, void *item, const struct sg_smime_cek *cek,
                        struct sg_secret *cek_r, struct sg_error *err);

enum sg_policy_certificate sg_policy_certificate_of(enum sg_cert_status status);

#endif
