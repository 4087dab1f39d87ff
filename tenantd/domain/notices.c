#include "domain/domain_internal.h"

#include "schema/api_ownership.h"
#include "schema/incident.h"

#define CONTACTS 5

static const struct {
    const char *name, *subject, *text;
} texts[] = {
    [SG_NOTICE_MISSING] = {"missing", "The proof of ownership of %s is missing",
                           "The record that proves that %s is yours was not found in the DNS:\n\n"
                           "    %s\n\n"
                           "Please put it back before %s. After that time no mail goes for the\n"
                           "domain any more; it waits until the record is back.\n"},
    [SG_NOTICE_REMINDER] = {"reminder", "The proof of ownership of %s is still missing",
                            "The record that proves that %s is yours is still not in the DNS:\n\n"
                            "    %s\n\n"
                            "Please put it back before %s. After that time no mail goes for the\n"
                            "domain any more; it waits until the record is back.\n"},
    [SG_NOTICE_SUSPENDED] = {"suspended", "%s is suspended",
                             "No mail goes for %s any more, for the record that proves that it is\n"
                             "yours is not in the DNS:\n\n"
                             "    %s\n\n"
                             "It was awaited until %s. Mail waits meanwhile; it goes again soon\n"
                             "after the record is back.\n"},
    [SG_NOTICE_RESTORED] = {"restored", "%s is active again",
                            "The record that proves that %s is yours is back in the DNS:\n\n"
                            "    %s\n\n"
                            "Mail goes for the domain again.%.0s\n"},
};

static bool mail(struct sg_tx *tx, struct sg_arena *arena, const struct sg_ownership *o,
                 const struct sg_ownership_row *row, const struct sg_ownership_plan *plan,
                 struct sg_error *err)
{
    const char **to;
    size_t count;
    char until[SG_TIME_TEXT];
    if (!*o->mail->host)
        return true; /* this platform sends none */
    if (!sg_ownership_contacts(tx, arena, row->tenant_id, row->domain_id, CONTACTS, &to, &count,
                               err))
        return false;
    size_t good = 0;
    for (size_t i = 0; i < count; i++)
        if (sg_mail_is_address(to[i]))
            to[good++] = to[i];
    if (good == 0)
        return true; /* nobody who could read it: the incident is there */
    sg_time since = plan->missing_since ? plan->missing_since : row->missing_since;
    sg_time_rfc3339(plan->suspend_at, until);
    const char *record =
        sg_arena_printf(arena, SG_CHALLENGE_LABEL ".%s. TXT \"%s\"", row->name, row->challenge);
    /* The formats are the table's own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    struct sg_mail m = {
        .to = to,
        .to_count = good,
        .subject = sg_arena_printf(arena, texts[plan->notice].subject, row->name),
        .text = sg_arena_printf(arena, texts[plan->notice].text, row->name, record, until)};
#pragma GCC diagnostic pop
    const char *once = sg_arena_printf(arena, "domain.%s %s %lld", texts[plan->notice].name,
                                       row->domain_id, (long long)since);
    return sg_mail_queue(tx, row->tenant_id, &m, once, NULL, err);
}

static bool incident(struct sg_tx *tx, struct sg_arena *arena, const struct sg_ownership_row *row,
                     bool suspended, const char *words, struct sg_error *err)
{
    json_t *detail = json_pack("{s:s, s:s}", "domain", row->name, "last_error", words);
    char *text = detail ? json_dumps(detail, JSON_COMPACT) : NULL;
    struct sg_incident_new i = {
        .tenant_id = row->tenant_id,
        .domain_id = row->domain_id,
        .kind = suspended ? "domain.suspended" : "domain.unproved",
        .severity = suspended ? "critical" : "warning",
        .summary = sg_arena_printf(arena,
                                   suspended ? "%s is suspended: its proof of ownership is gone"
                                             : "the proof of ownership of %s is missing",
                                   row->name),
        .detail_json = text,
        .dedup_key = sg_arena_printf(arena, "domain.%s %s", suspended ? "suspended" : "unproved",
                                     row->domain_id)};
    bool ok = sg_incident_open(tx, &i, err);
    json_decref(detail);
    free(text);
    return ok;
}

static bool resolve(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                    struct sg_error *err)
{
    const char *words = "the record is back in the DNS";
    return sg_incident_resolve(tx, sg_arena_printf(arena, "domain.suspended %s", domain_id), words,
                               err) &&
           sg_incident_resolve(tx, sg_arena_printf(arena, "domain.unproved %s", domain_id), words,
                               err);
}

bool domain_notice(struct sg_tx *tx, struct sg_arena *arena, const struct sg_ownership *ownership,
                   const struct sg_ownership_row *row, const struct sg_ownership_plan *plan,
                   const char *words, struct sg_error *err)
{
    bool back = row->missing_since && !plan->missing_since;
    if (back && !resolve(tx, arena, row->domain_id, err))
        return false;
    switch (plan->notice) {
    case SG_NOTICE_NONE:
        return true;
    case SG_NOTICE_MISSING:
    case SG_NOTICE_REMINDER:
        return incident(tx, arena, row, false, words, err) &&
               mail(tx, arena, ownership, row, plan, err);
    case SG_NOTICE_SUSPENDED:
        return incident(tx, arena, row, true, words, err) &&
               mail(tx, arena, ownership, row, plan, err);
    case SG_NOTICE_RESTORED:
        break;
    }
    return mail(tx, arena, ownership, row, plan, err);
}
