/*
 * hsmd.conf, which hsmd and hsmctl share.
 */
#ifndef SG_HSM_SETTINGS_H
#define SG_HSM_SETTINGS_H

#include "common/config.h"
#include "hsm/access.h"
#include "hsm/keystore.h"
#include "hsm/token.h"

enum sg_hsmd_confine { SG_HSMD_CONFINED, SG_HSMD_CONFINED_NETWORK, SG_HSMD_NOT_CONFINED };
enum sg_hsmd_key_types { SG_HSMD_KEYS_OWN, SG_HSMD_KEYS_ALL };

struct sg_hsmd_settings {
    char *socket, *socket_group;
    int socket_mode; /* index into its choices: sg_hsmd_socket_mode() */
    int64_t max_connections, connections_per_user, request_timeout, idle_timeout;
    int64_t answer_timeout, generate_timeout;
    char *module, *token, *uri, *pin_file, *kek;
    int64_t slot, sessions, session_wait, retry, replace, wrapped_cache, token_cache;
    char *rules;
    int log_level;
    char *ops_listen;
    int confine;   /* enum sg_hsmd_confine */
    int key_types; /* enum sg_hsmd_key_types */
};

extern const struct sg_option sg_hsmd_options[];
extern const size_t sg_hsmd_option_count;

/* For sg_daemon_spec.check: what the table alone cannot say. */
bool sg_hsmd_settings_check(void *settings, struct sg_error *err);
mode_t sg_hsmd_socket_mode(const struct sg_hsmd_settings *settings);
/* Views of the settings: they must live as long. */
struct sg_token_choice sg_hsmd_token(const struct sg_hsmd_settings *settings);
struct sg_keystore_options sg_hsmd_keystore(const struct sg_hsmd_settings *settings);

#endif
