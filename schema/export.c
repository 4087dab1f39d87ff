#include "schema/export.h"

#include "schema/db_internal.h"

#define PAGE 200

static const struct {
    const char *file;
    enum sg_query query;
    const char *heading;
} sections[] = {
    {"tenant.jsonl", SG_Q_EXPORT_TENANT, ""},
    {"domains.jsonl", SG_Q_EXPORT_DOMAINS, ""},
    {"next_hops.jsonl", SG_Q_EXPORT_NEXT_HOPS, ""},
    {"submitters.jsonl", SG_Q_EXPORT_SUBMITTERS, ""},
    {"contacts.jsonl", SG_Q_EXPORT_CONTACTS, ""},
    {"policies.jsonl", SG_Q_EXPORT_POLICIES, ""},
    {"exceptions.jsonl", SG_Q_EXPORT_EXCEPTIONS, ""},
    {"anchors.jsonl", SG_Q_EXPORT_ANCHORS, ""},
    {"keys.jsonl", SG_Q_EXPORT_KEYS, ""},
    {"certificates.jsonl", SG_Q_EXPORT_CERTIFICATES, ""},
    {"tokens.jsonl", SG_Q_EXPORT_TOKENS, ""},
    {"acknowledgements.jsonl", SG_Q_EXPORT_ACKNOWLEDGEMENTS, ""},
    {"held.jsonl", SG_Q_EXPORT_HELD, ""},
    {"held_content.jsonl", SG_Q_EXPORT_HELD_CONTENT, ""},
    {"messages.jsonl", SG_Q_EXPORT_MESSAGES, ""},
    {"messages.csv", SG_Q_EXPORT_MESSAGES_CSV,
     "id,received_at,direction,sender,recipient,outcome,verdict,codes,size_bytes,message_id"},
    {"incidents.jsonl", SG_Q_EXPORT_INCIDENTS, ""},
    {"breaches.jsonl", SG_Q_EXPORT_BREACHES, ""},
    {"orders.jsonl", SG_Q_EXPORT_ORDERS, ""},
    {"usage.jsonl", SG_Q_EXPORT_USAGE, ""},
    {"reports.jsonl", SG_Q_EXPORT_REPORTS, ""},
    {"audit.jsonl", SG_Q_EXPORT_AUDIT, ""},
};
#define SECTIONS (sizeof sections / sizeof sections[0])

const char *sg_export_section(size_t index)
{
    return index < SECTIONS ? sections[index].file : NULL;
}

const char *sg_export_heading(size_t index)
{
    return sections[index].heading;
}

struct page {
    struct sg_arena *arena;
    struct sg_export_line *lines;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct page *p = arg;
    if (index == 0)
        p->lines = SG_ARENA_ARRAY(p->arena, struct sg_export_line, (size_t)count);
    p->count = (size_t)count;
    p->lines[index].key = sg_row_text(r);
    p->lines[index].text = sg_row_text(r);
    return true;
}

bool sg_export_page(struct sg_db *db, struct sg_arena *arena, size_t section, const char *tenant_id,
                    const char *after, struct sg_export_line **lines_r, size_t *count_r,
                    struct sg_error *err)
{
    struct page page = {.arena = arena};
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, after);
    sg_param_int(&p, PAGE);
    if (!sg_db_read(db, arena, sections[section].query, &p, take, &page, err))
        return false;
    *lines_r = page.lines;
    *count_r = page.count;
    return true;
}

bool sg_export_done(struct sg_tx *tx, const char *tenant_id, const char *id, const char *file,
                    int64_t size_bytes, const char *sha256, sg_time expires_at,
                    struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    sg_param_text(&p, file);
    sg_param_int(&p, size_bytes);
    sg_param_text(&p, sha256);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_time(&p, expires_at);
    return sg_tx_query_one(tx, SG_Q_EXPORT_DONE, &p, NULL, "the export is not pending", err);
}

bool sg_export_failed(struct sg_tx *tx, const char *tenant_id, const char *id, const char *words,
                      struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    sg_param_text(&p, words);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_EXPORT_FAILED, &p, NULL, err);
}

bool sg_export_expire(struct sg_tx *tx, struct sg_arena *arena, const char ***files_r,
                      size_t *count_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query(tx, SG_Q_EXPORT_EXPIRED, &p, &rows, err))
        return false;
    *count_r = (size_t)rows.count;
    *files_r = SG_ARENA_ARRAY(arena, const char *, *count_r + 1);
    for (size_t i = 0; i < *count_r; i++) {
        struct sg_row row = sg_row_at(&rows, (int)i, arena);
        (*files_r)[i] = sg_row_text(&row);
        if (!sg_row_end(&row, err))
            return false;
    }
    return true;
}
