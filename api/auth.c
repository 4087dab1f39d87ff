#include "api/auth.h"

#include "common/log.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#define USE_STEP (60 * SG_SECOND) /* how exactly the last use of a token is known */

static bool refuse(struct sg_error *err)
{
    return sg_fail(err, SG_E_UNAUTHENTICATED, "a valid bearer token is needed");
}

bool api_auth_hash(const char *authorization, uint8_t hash[32], struct sg_error *err)
{
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return refuse(err);
    const char *token = authorization + 7;
    while (*token == ' ')
        token++;
    if (strlen(token) != API_TOKEN_CHARS || strncmp(token, "sgt_", 4) != 0 ||
        strspn(token + 4, alphabet) != API_TOKEN_CHARS - 4)
        return refuse(err);
    return EVP_Digest(token, API_TOKEN_CHARS, hash, NULL, EVP_sha256(), NULL) == 1 ||
           sg_fail_openssl(err, SG_E_CRYPTO, "no SHA-256");
}

static bool tenant_active(const char *tenant_id, const char *tenant_state, struct sg_error *err)
{
    /* A pending tenant's people must be able to acknowledge what is wanting (REQ-157). */
    return !tenant_id ||
           (tenant_state &&
            (strcmp(tenant_state, "active") == 0 || strcmp(tenant_state, "pending") == 0)) ||
           sg_fail(err, SG_E_FORBIDDEN, "the tenant is not active");
}

bool api_auth_judge(struct sg_arena *arena, const struct sg_api_token_auth *token,
                    const struct sg_api_certificate_auth *certificate, sg_time now,
                    struct api_caller *caller, struct sg_error *err)
{
    struct sg_access access;
    if (token->revoked_at)
        return sg_fail(err, SG_E_UNAUTHENTICATED, "the token was revoked");
    if (token->expires_at <= now)
        return sg_fail(err, SG_E_UNAUTHENTICATED, "the token has expired");
    if (token->client_id && (!token->client_state || strcmp(token->client_state, "active") != 0))
        return sg_fail(err, SG_E_UNAUTHENTICATED, "the client is disabled");
    if (token->bound && (!certificate || strcmp(certificate->client_id, token->client_id) != 0))
        return sg_fail(err, SG_E_UNAUTHENTICATED,
                       "the token is good only with a certificate of its client");
    if (!sg_access_of(token->role, token->tenant_id != NULL, token->scope, &access, err) ||
        !tenant_active(token->tenant_id, token->tenant_state, err))
        return false;
    *caller = (struct api_caller){
        .role = token->role,
        .access = access,
        .token_id = token->id,
        .client_id = token->client_id,
        .tenant_id = token->tenant_id,
        .actor = sg_arena_printf(arena, "token:%s %s", token->id, token->name),
    };
    return true;
}

bool api_auth_judge_certificate(struct sg_arena *arena,
                                const struct sg_api_certificate_auth *certificate,
                                struct api_caller *caller, struct sg_error *err)
{
    struct sg_access access;
    if (strcmp(certificate->client_state, "active") != 0)
        return sg_fail(err, SG_E_UNAUTHENTICATED, "the client is disabled");
    if (!sg_access_of(certificate->role, certificate->tenant_id != NULL, certificate->scope,
                      &access, err) ||
        !tenant_active(certificate->tenant_id, certificate->tenant_state, err))
        return false;
    *caller = (struct api_caller){
        .role = certificate->role,
        .access = access,
        .client_id = certificate->client_id,
        .tenant_id = certificate->tenant_id,
        .actor = sg_arena_printf(arena, "client:%s %s", certificate->client_id, certificate->name),
    };
    return true;
}

/* What the database knows of a request's token and certificate; either may be unknown. */
struct lookup {
    struct sg_arena *arena;
    struct sg_bytes hash;    /* empty: no token came */
    const char *fingerprint; /* NULL: no certificate came */
    struct sg_api_token_auth token;
    struct sg_api_certificate_auth certificate;
    bool token_known, certificate_known;
};

static bool known(bool found, bool *known_r, const struct sg_error *err)
{
    *known_r = found;
    return found || err->code == SG_E_NOT_FOUND;
}

static bool lookup(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct lookup *l = arg;
    if (l->hash.len &&
        !known(sg_api_token_auth(tx, l->arena, l->hash, &l->token, err), &l->token_known, err))
        return false;
    return !l->fingerprint ||
           known(sg_api_certificate_auth(tx, l->arena, l->fingerprint, &l->certificate, err),
                 &l->certificate_known, err);
}

static bool note_use(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    return sg_api_token_used(tx, arg, err);
}

/* For people who look for tokens that nobody needs; a failure is no reason to refuse a request. */
static void used(struct sg_db *auth, const struct sg_api_token_auth *token)
{
    struct sg_error err = {0};
    if (token->last_used_at + USE_STEP <= sg_clock_now() &&
        !sg_db_transact(auth, NULL, note_use, (void *)token->id, &err))
        sg_log_error(SG_LOG_WARNING, "token.use_not_noted", &err, "token", token->id, NULL);
}

bool api_auth_caller(struct sg_db *auth, struct api_request *r, struct sg_error *err)
{
    uint8_t hash[32];
    struct lookup l = {.arena = r->arena, .fingerprint = r->certificate};
    bool token = r->authorization || !r->certificate;
    if (token) {
        if (!api_auth_hash(r->authorization, hash, err))
            return false;
        l.hash = sg_bytes_of(hash, sizeof hash);
    }
    if (!sg_db_transact(auth, NULL, lookup, &l, err))
        return false;
    sg_error_reset(err);
    if (!token)
        return l.certificate_known
                   ? api_auth_judge_certificate(r->arena, &l.certificate, &r->caller, err)
                   : sg_fail(err, SG_E_UNAUTHENTICATED, "the certificate is no client's");
    if (!l.token_known)
        return refuse(err);
    if (!api_auth_judge(r->arena, &l.token, l.certificate_known ? &l.certificate : NULL,
                        sg_clock_now(), &r->caller, err))
        return false;
    used(auth, &l.token);
    return true;
}

void api_auth_token_new(struct sg_secret *token, uint8_t hash[32])
{
    uint8_t bits[33] = {0}; /* 256 bits, and two zero bits for the last digit */
    char text[API_TOKEN_CHARS] = "sgt_";
    struct sg_error err;
    if (RAND_bytes(bits, 32) != 1)
        abort(); /* without randomness nothing here is safe */
    unsigned acc = 0, have = 0;
    for (size_t i = 0, n = 4; n < API_TOKEN_CHARS; i++) {
        acc = acc << 8 | bits[i];
        have += 8;
        while (have >= 6 && n < API_TOKEN_CHARS) {
            have -= 6;
            text[n++] = alphabet[acc >> have & 63];
        }
        acc &= (1u << have) - 1;
    }
    if (!sg_secret_set(token, text, sizeof text, &err) ||
        EVP_Digest(text, sizeof text, hash, NULL, EVP_sha256(), NULL) != 1)
        abort();
    explicit_bzero(text, sizeof text);
    explicit_bzero(bits, sizeof bits);
}
