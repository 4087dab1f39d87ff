#include "pipeline/origin.h"

#include "pipeline/rewrite.h"
#include "schema/exception.h"
#include "schema/member_domain.h"

static void domains_list(struct sg_arena *arena, struct sg_origin *origin)
{
    origin->domains = SG_ARENA_ARRAY(arena, const char *, origin->from_count + 1);
    origin->domain_count = 0;
    for (size_t i = 0; i < origin->from_count; i++) {
        size_t k = 0;
        while (k < origin->domain_count && strcmp(origin->domains[k], origin->from[i].domain) != 0)
            k++;
        if (k == origin->domain_count)
            origin->domains[origin->domain_count++] = origin->from[i].domain;
    }
}

/* REQ-47, 65: who does From say it is, and do these take part in Secure Email. */
static bool from_facts(struct sg_message *m, const char *own_domain, struct sg_inbound_facts *facts,
                       struct sg_origin *origin, struct sg_error *err)
{
    size_t fields = sg_header_count(&m->headers, "From");
    origin->from_count = sg_message_from(m, &origin->from);
    domains_list(m->arena, origin);
    facts->from_readable = fields == 0 || (fields == 1 && origin->from_count > 0);
    size_t mailboxes = 0;
    const struct sg_header *field = NULL;
    while ((field = sg_header_next(&m->headers, "From", field))) {
        struct sg_mailbox *list;
        size_t count;
        if (!sg_mailbox_list_parse(m->arena, field, &list, &count, NULL))
            continue;
        mailboxes += count;
        if (mailboxes > m->gw->max_from) { /* what nobody looked for may be there */
            facts->from_readable = false;
            facts->from_member = true;
            origin->member = "";
            return true;
        }
        for (size_t i = 0; i < count; i++) {
            const char *environment;
            bool member = false;
            if (!sg_member_domain_find(m->gw->db, m->arena, list[i].domain, &environment, &member,
                                       err))
                return false;
            facts->from_member |= member;
            if (member && !*origin->member)
                origin->member = list[i].domain;
            facts->from_own |= strcmp(list[i].domain, own_domain) == 0;
        }
    }
    return true;
}

/* Many programs write a From that is not quite one ("Smith, John <john@outside.test>"): where
 * nobody can see a member in it, or one of our own, it is a stranger's mail like any other. */
static bool stranger_facts(struct sg_message *m, const char *own_domain,
                           struct sg_inbound_facts *facts, struct sg_error *err)
{
    const struct sg_header *field = sg_header_next(&m->headers, "From", NULL);
    const char *const *domains;
    size_t count;
    if (facts->from_readable || facts->from_member || sg_header_next(&m->headers, "From", field) ||
        !sg_mailbox_domains_claimed(m->arena, field, m->gw->max_from, &domains, &count))
        return true;
    for (size_t i = 0; i < count; i++) {
        const char *environment;
        bool member = false;
        if (!sg_member_domain_find(m->gw->db, m->arena, domains[i], &environment, &member, err))
            return false;
        facts->from_member |= member;
        facts->from_own |= strcmp(domains[i], own_domain) == 0;
    }
    facts->from_stranger = !facts->from_member && !facts->from_own;
    return true;
}

static void claim_facts(const struct sg_message *m, struct sg_inbound_facts *facts)
{
    facts->x_header = sg_header_count(&m->headers, SG_HEADER_SECURE) > 0;
    for (size_t i = 0; i < m->headers.count; i++)
        if (sg_rewrite_is_claim(&m->headers.fields[i]) || sg_rewrite_is_ours(&m->headers.fields[i]))
            facts->claims_secure = true;
}

bool sg_origin_is_list(struct sg_arena *arena, const struct sg_header_block *headers)
{
    static const char *const names[] = {"Errors-To",      "List-Archive",     "List-Help",
                                        "List-Id",        "List-Name",        "List-Post",
                                        "List-Subscribe", "List-Unsubscribe", "Mailing-List",
                                        "X-BeenThere",    "X-Mailman",        "X-Mailman-Version"};
    const struct sg_header *precedence = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (sg_header_count(headers, names[i]) > 0)
            return true;
    while ((precedence = sg_header_next(headers, "Precedence", precedence)))
        if (strcasecmp(sg_header_unfold(arena, precedence), "bulk") == 0)
            return true;
    return false;
}

bool sg_origin_facts(struct sg_message *m, const struct sg_domain_row *domain,
                     struct sg_inbound_facts *facts, struct sg_origin *origin_r,
                     struct sg_error *err)
{
    *origin_r = (struct sg_origin){.member = ""};
    claim_facts(m, facts);
    facts->list_mail = sg_origin_is_list(m->arena, &m->headers);
    return from_facts(m, domain->name, facts, origin_r, err) &&
           stranger_facts(m, domain->name, facts, err);
}

static bool workspace_find(struct sg_message *m, const struct sg_origin *origin, bool *all_r,
                           struct sg_error *err)
{
    *all_r = origin->from_count > 0;
    for (size_t i = 0; *all_r && i < origin->from_count; i++) {
        struct sg_member_lists lists;
        if (!sg_member_domain_lists(m->gw->db, m->arena, origin->from[i].domain, &lists, err))
            return false;
        *all_r = lists.workspace;
    }
    return true;
}

static bool excepted_find(struct sg_message *m, const struct sg_domain_row *domain,
                          const struct sg_origin *origin, bool *all_r, struct sg_error *err)
{
    const char **domains = SG_ARENA_ARRAY(m->arena, const char *, origin->from_count + 1);
    size_t different = 0, listed;
    for (size_t i = 0; i < origin->from_count; i++) {
        size_t k = 0;
        while (k < different && strcmp(domains[k], origin->from[i].domain) != 0)
            k++;
        if (k == different)
            domains[different++] = origin->from[i].domain;
    }
    if (!sg_exception_count(m->gw->db, m->arena, domain->id, domains, different, m->now, &listed,
                            err))
        return false;
    *all_r = different > 0 && listed == different;
    return true;
}

bool sg_origin_lists(struct sg_message *m, const struct sg_domain_row *domain,
                     const struct sg_origin *origin, struct sg_inbound_facts *facts,
                     struct sg_error *err)
{
    bool spoofed = (facts->from_member || facts->from_own) && !facts->domain_signed;
    bool partner = !facts->from_member && facts->domain_signed && facts->for_us;
    return (!spoofed || workspace_find(m, origin, &facts->workspace, err)) &&
           (!partner || excepted_find(m, domain, origin, &facts->from_excepted, err));
}
