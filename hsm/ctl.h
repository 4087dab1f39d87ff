/*
 * What hsmctl's commands share: the configuration of hsmd, the module, PINs from files or typed.
 */
#ifndef SG_HSM_CTL_H
#define SG_HSM_CTL_H

#include "common/secret.h"
#include "hsm/settings.h"

struct sg_ctl {
    struct sg_hsmd_settings settings;
    struct sg_module module;
    const char *label, *so_pin_file; /* of token-init; NULL where not given */
};

/* Each prints what it did on stdout. */
SG_MUST_USE bool sg_ctl_token_init(struct sg_ctl *ctl, struct sg_error *err);
SG_MUST_USE bool sg_ctl_kek_make(struct sg_ctl *ctl, struct sg_error *err);
SG_MUST_USE bool sg_ctl_list(struct sg_ctl *ctl, struct sg_error *err);
SG_MUST_USE bool sg_ctl_check(struct sg_ctl *ctl, struct sg_error *err);

/* From the file, or typed at the terminal without echo where path is NULL. */
SG_MUST_USE bool sg_ctl_pin(struct sg_secret *pin, const char *path, const char *prompt,
                            struct sg_error *err);

#endif
