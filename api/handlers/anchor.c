/* Accredited roots (of the whole platform). */
#include "api/handlers.h"
#include "api/pem.h"
#include "api/render.h"
#include "schema/api_platform.h"

struct anchor_new {
    const char *pem;
    struct api_certificates root; /* of pem: one */
};
static const struct api_field new_fields[] = {
    {.name = "pem",
     .type = API_TEXT,
     .offset = offsetof(struct anchor_new, pem),
     .min = 1,
     .max = API_PEM_CHARS_MAX},
};

static bool new_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    struct anchor_new *body = out;
    struct sg_error why;
    return (api_pem_read(arena, body->pem, 1, &body->root, &why) &&
            api_certificate_root(&body->root.items[0], sg_clock_now(), &why)) ||
           api_invalid(err, "pem", "%.199s", why.detail);
}
const struct api_spec api_anchor_new = {new_fields, 1, sizeof(struct anchor_new), new_check};

json_t *api_anchor_json(struct sg_arena *arena, const void *row)
{
    const struct sg_api_anchor *a = row;
    return json_pack("{s:s, s:o, s:s, s:o, s:s, s:o}", "id", a->key.id, "sha256",
                     api_json_hex_or_null(arena, a->sha256), "subject", a->subject, "not_after",
                     api_json_time(a->not_after), "pem",
                     api_pem_write(arena, "CERTIFICATE", a->der), "created_at",
                     api_json_time(a->key.at));
}

struct sg_api_anchor api_anchor_wanted(const struct api_request *r, const char *id)
{
    const struct anchor_new *body = r->fields;
    const struct api_certificate *root = &body->root.items[0];
    return (struct sg_api_anchor){.key = {.id = id},
                                  .der = root->der,
                                  .sha256 = sg_bytes_of(root->sha256, 32),
                                  .subject = root->subject,
                                  .not_after = root->not_after};
}

bool api_anchor_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_id id = sg_id_new("anc");
    const struct sg_api_anchor wanted = api_anchor_wanted(r, id.text);
    struct sg_api_anchor made;
    if (!sg_api_anchor_insert(tx, r->arena, &wanted, &made, err))
        return api_conflict(err, "/pem", "this root is accredited already");
    return api_reply_created(r, sg_arena_printf(r->arena, "/v1/trust-anchors/%s", id.text),
                             api_anchor_json(r->arena, &made));
}

bool api_anchor_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_anchor *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_anchor_list(tx, r->arena, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, api_anchor_json);
}

bool api_anchor_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_anchor_delete(tx, api_param(r, "anchor_id"), err) && api_reply_gone(r);
}
