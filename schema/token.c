#include "schema/token.h"

#include "schema/db_internal.h"

bool sg_token_insert(struct sg_tx *tx, const struct sg_token_new *token, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, token->id);
    sg_param_text(&p, token->tenant_id);
    sg_param_text(&p, token->role);
    sg_param_text(&p, token->name);
    sg_param_text(&p, token->scope);
    sg_param_bytes(&p, token->hash);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_time(&p, token->expires_at);
    sg_param_text(&p, token->client_id);
    sg_param_bool(&p, token->bound);
    return sg_tx_query_one(tx, SG_Q_TOKEN_INSERT, &p, NULL, "not inserted", err);
}
