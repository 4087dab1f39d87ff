#include "hsm/settings.h"

#include <string.h>

static const char *const socket_modes[] = {"0600", "0660", NULL};
static const char *const confines[] = {"yes", "network", "no", NULL};
static const char *const key_types[] = {"own", "all", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

#define AT(field) offsetof(struct sg_hsmd_settings, field)

const struct sg_option sg_hsmd_options[] = {
    {"hsmd", "socket", SG_OPT_STRING, AT(socket), "/run/sealgate/hsmd.sock", 0, 0, NULL,
     "The Unix socket that hsmd listens on."},
    {"hsmd", "socket_mode", SG_OPT_ENUM, AT(socket_mode), "0660", 0, 0, socket_modes,
     "Permissions of the socket. Who may do what is decided by the rules, not by these."},
    {"hsmd", "socket_group", SG_OPT_STRING, AT(socket_group), "", 0, 0, NULL,
     "Group of the socket, by name or number; empty leaves hsmd's own."},
    {"hsmd", "max_connections", SG_OPT_INT, AT(max_connections), "256", 1, 4096, NULL,
     "Connections at a time; each has a thread."},
    {"hsmd", "connections_per_user", SG_OPT_INT, AT(connections_per_user), "128", 1, 4096, NULL,
     "Of these, at most so many of one uid, so that no caller shuts out another."},
    {"hsmd", "request_timeout", SG_OPT_DURATION, AT(request_timeout), "10s", 100, 600000, NULL,
     "How long a request may take to arrive, or its reply to be taken."},
    {"hsmd", "idle_timeout", SG_OPT_DURATION, AT(idle_timeout), "10m", 100, 86400000, NULL,
     "How long a connection may lie idle."},
    {"hsmd", "answer_timeout", SG_OPT_DURATION, AT(answer_timeout), "8s", 100, 600000, NULL,
     "How long an operation may take, waiting for a session included: whoever asked for it is told "
     "then that the HSM is not available. If nothing comes back from the module for as long, it "
     "hangs, and requests fail at once until something does. Shorter than the callers' own "
     "timeout (gatewayd: 10s)."},
    {"hsmd", "generate_timeout", SG_OPT_DURATION, AT(generate_timeout), "110s", 100, 600000, NULL,
     "How long the making of a key pair may take (the timeout of tenantd: 2m)."},
    {"pkcs11", "module", SG_OPT_STRING, AT(module), "/usr/lib/softhsm/libsofthsm2.so", 0, 0, NULL,
     "The PKCS#11 module."},
    {"pkcs11", "token", SG_OPT_STRING, AT(token), "", 0, 0, NULL,
     "Label of the token. Exactly one of token, slot and uri is set."},
    {"pkcs11", "slot", SG_OPT_INT, AT(slot), "-1", -1, INT64_MAX, NULL, "Number of the slot."},
    {"pkcs11", "uri", SG_OPT_STRING, AT(uri), "", 0, 0, NULL,
     "PKCS#11 URI (RFC 7512) that names the token; no PIN in it."},
    {"pkcs11", "pin_file", SG_OPT_STRING, AT(pin_file), NULL, 0, 0, NULL,
     "File with the user PIN, or credential:NAME of systemd."},
    {"pkcs11", "sessions", SG_OPT_INT, AT(sessions), "16", 1, 1024, NULL,
     "Sessions with the token, hence operations at a time."},
    {"pkcs11", "session_wait", SG_OPT_DURATION, AT(session_wait), "5s", 10, 600000, NULL,
     "How long a request waits for a session."},
    {"pkcs11", "retry", SG_OPT_DURATION, AT(retry), "2s", 10, 600000, NULL,
     "After the HSM was lost: how long until it is tried again. Requests fail at once meanwhile."},
    {"pkcs11", "replace", SG_OPT_DURATION, AT(replace), "30s", 10, 3600000, NULL,
     "How long a call into the module may be overdue before hsmd ends, with status 1, to be "
     "started "
     "anew by its supervisor: a thread that hangs in a module cannot be taken out of it."},
    {"pkcs11", "kek", SG_OPT_STRING, AT(kek), "sealgate-kek", 0, 0, NULL,
     "Label of the key-encryption keys, without their generation: sealgate-kek-1, ..."},
    {"pkcs11", "wrapped_cache", SG_OPT_INT, AT(wrapped_cache), "4096", 1, 1000000, NULL,
     "Wrapped keys that are kept unwrapped in the HSM (about 11 KB each in SoftHSM)."},
    {"pkcs11", "token_cache", SG_OPT_INT, AT(token_cache), "16384", 1, 1000000, NULL,
     "Token keys whose handles are kept (about 1 KB each)."},
    {"access", "rules", SG_OPT_LIST, AT(rules), NULL, 0, 0, NULL,
     "uid:class:operation,... items. Classes: dca, hold, journal, archive, evidence. Operations: "
     "generate, sign, decrypt, csr, public, destroy; of hold and journal: make, open."},
    {"ops", "listen", SG_OPT_STRING, AT(ops_listen), "", 0, 0, NULL,
     "Where /metrics, /healthz and /readyz are served: unix:PATH alone, for hsmd has no network; "
     "empty: nowhere. Nobody is asked who he is."},
    {"process", "confine", SG_OPT_ENUM, AT(confine), "yes", 0, 0, confines,
     "Whether the process gives up all system calls that it never needs (seccomp). network: it "
     "keeps "
     "sockets of the Internet, for the module of a network HSM; no: for a module that starts "
     "programs "
     "or uses devices or shared memory."},
    {"process", "key_types", SG_OPT_ENUM, AT(key_types), "own", 0, 0, key_types,
     "Which public keys OpenSSL reads in this process. own: RSA and elliptic curves, which are "
     "hsmd's; "
     "SoftHSM then unwraps a private key in half of the time. all: for a module that uses the "
     "system's "
     "OpenSSL for certificates with keys of other types, such as Ed25519, in its own connections."},
    {"log", "level", SG_OPT_ENUM, AT(log_level), "info", 0, 0, log_levels,
     "The least level that is logged."},
};
const size_t sg_hsmd_option_count = sizeof sg_hsmd_options / sizeof sg_hsmd_options[0];

struct sg_token_choice sg_hsmd_token(const struct sg_hsmd_settings *s)
{
    return (struct sg_token_choice){.label = s->token, .slot = s->slot, .uri = s->uri};
}

struct sg_keystore_options sg_hsmd_keystore(const struct sg_hsmd_settings *s)
{
    return (struct sg_keystore_options){.kek_label = s->kek,
                                        .wrapped_cache = (size_t)s->wrapped_cache,
                                        .token_cache = (size_t)s->token_cache,
                                        .wait_ms = s->session_wait};
}

mode_t sg_hsmd_socket_mode(const struct sg_hsmd_settings *s)
{
    return s->socket_mode == 0 ? 0600 : 0660;
}

bool sg_hsmd_settings_check(void *settings, struct sg_error *err)
{
    const struct sg_hsmd_settings *s = settings;
    struct sg_access access;
    struct sg_token_choice choice = sg_hsmd_token(s);
    if (strlen(s->kek) == 0 || strlen(s->kek) > SG_KEK_LABEL_MAX)
        return sg_fail(err, SG_E_CONFIG, "kek: a label of 1 to %d characters", SG_KEK_LABEL_MAX);
    if (*s->ops_listen && strncmp(s->ops_listen, "unix:/", 6) != 0)
        return sg_fail(err, SG_E_CONFIG, "listen in [ops]: unix:/PATH, for hsmd has no network");
    return sg_access_parse(s->rules, &access, err) && sg_token_choice_check(&choice, err);
}
