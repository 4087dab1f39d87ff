/*
 * Which token: by label, by slot number or by PKCS#11 URI (RFC 7512). And logging in to it.
 */
#ifndef SG_HSM_TOKEN_H
#define SG_HSM_TOKEN_H

#include "common/secret.h"
#include "hsm/p11.h"

/* Exactly one is set: label and uri are "" and slot is -1 where they are not. */
struct sg_token_choice {
    const char *label;
    int64_t slot;
    const char *uri;
};

/* Without touching any module. A URI with a PIN, an object or a module in it is refused. */
SG_MUST_USE bool sg_token_choice_check(const struct sg_token_choice *choice, struct sg_error *err);
/* Whether the choice means this token. */
bool sg_token_choice_matches(const struct sg_token_choice *choice, const CK_INFO *module,
                             CK_SLOT_ID id, const CK_SLOT_INFO *slot, const CK_TOKEN_INFO *token);
/* Finds its slot. SG_E_HSM_UNAVAILABLE: not there, SG_E_CONFIG: several tokens fit. */
SG_MUST_USE bool sg_token_find(const struct sg_module *module, const struct sg_token_choice *choice,
                               CK_SLOT_ID *slot_r, struct sg_error *err);
/*
 * Opens a session (read-write or not) and logs in as user, with the PIN of pin_file.
 * SG_E_CONFIG: the PIN cannot be read or is wrong.
 */
SG_MUST_USE bool sg_token_login(const struct sg_module *module, CK_SLOT_ID slot,
                                const char *pin_file, bool writable, CK_SESSION_HANDLE *session_r,
                                struct sg_error *err);
/* Whether it failed because the token refused the PIN: do not try again by yourself, tokens lock.
 */
bool sg_token_pin_refused(const struct sg_error *err);
/* A PKCS#11 text field, blank-padded, as a view without the blanks. */
struct sg_bytes sg_p11_text(const void *field, size_t size);

#endif
