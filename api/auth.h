/*
 * Who asks (REQ-138): by a bearer token (RFC 6750: "sgt_" and 43 characters of base64url, known by
 * its SHA-256 alone), or by a TLS client certificate that belongs to an API client, or by both (RFC
 * 8705 §3).
 */
#ifndef SG_API_AUTH_H
#define SG_API_AUTH_H

#include "api/request.h"

#include "common/secret.h"
#include "schema/api_client.h"
#include "schema/api_token.h"

#define API_TOKEN_CHARS 47

/* SHA-256 of the token in an Authorization header; SG_E_UNAUTHENTICATED where there is none. */
SG_MUST_USE bool api_auth_hash(const char *authorization, uint8_t hash[32], struct sg_error *err);

/*
 * What a token is good for at now: SG_E_UNAUTHENTICATED when it has expired or was revoked, or its
 * client was disabled, or it is bound and does not come with a certificate of its client;
 * SG_E_FORBIDDEN when its tenant is not active. certificate: whose it is, NULL for none.
 */
SG_MUST_USE bool api_auth_judge(struct sg_arena *arena, const struct sg_api_token_auth *token,
                                const struct sg_api_certificate_auth *certificate, sg_time now,
                                struct api_caller *caller, struct sg_error *err);
/* The same of a certificate that comes without a token. */
SG_MUST_USE bool api_auth_judge_certificate(struct sg_arena *arena,
                                            const struct sg_api_certificate_auth *certificate,
                                            struct api_caller *caller, struct sg_error *err);

/*
 * Finds request->caller by its header and its certificate, through the database. An unknown token
 * answers as none does. It is looked up for each request, so that access ends at once when it is
 * taken away (REQ-140). Notes that a token was used, once a minute at most and in a transaction of
 * its own.
 */
SG_MUST_USE bool api_auth_caller(struct sg_db *auth, struct api_request *request,
                                 struct sg_error *err);

/* A new token and its hash. */
void api_auth_token_new(struct sg_secret *token, uint8_t hash[32]);

#endif
