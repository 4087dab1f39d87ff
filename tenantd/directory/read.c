/*
 * Reading the lists: (cn=SEEMAIL2) is a nisMailAlias with a value "*@domain" for each member. A
 * source that fails is left at once, and the next one is asked for what is still missing; one that
 * failed lately is asked only where no other answers.
 */
#include "directory/directory_internal.h"

#include "common/log.h"

#include <ldap.h>
#include <stdio.h>

#define MEMBER_BYTES   300 /* of an answer, for each member that may come */
#define PAGE           200
#define VALUES_FURTHER 16 /* versions and time stamps beside the members */

enum { MEMBER, VERSION, CHANGED };

struct reader {
    const struct sg_directory_options *options;
    struct sg_arena *arena;
    struct sg_directory_readings *readings;
};

static const char *filter_text(struct sg_arena *arena, const char *name)
{
    SG_AUTO_BUF filter;
    sg_buf_init(&filter, 0);
    sg_buf_adds(&filter, "(&(objectClass=nisMailAlias)(cn=");
    sg_ldap_escape(&filter, sg_bytes_str(name));
    sg_buf_adds(&filter, "))");
    return sg_arena_str(arena, sg_buf_bytes(&filter));
}

/* The version is what the list says of itself; else when its entry was changed. */
static const char *version_of(struct sg_arena *arena, const struct sg_ldap_values *values)
{
    for (int wanted = VERSION; wanted <= CHANGED; wanted++)
        for (size_t i = 0; i < values->count; i++)
            if (values->attributes[i] == wanted) {
                const char *version = sg_version_parse(arena, values->items[i]);
                if (*version)
                    return version;
            }
    return "";
}

static void list_take(const struct reader *r, const char *url, const struct sg_ldap_values *values,
                      struct sg_list_result *list)
{
    struct sg_bytes *members = SG_ARENA_ARRAY(r->arena, struct sg_bytes, values->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < values->count; i++)
        if (values->attributes[i] == MEMBER)
            members[count++] = values->items[i];
    if (values->truncated || count > (size_t)r->options->max_members) {
        snprintf(list->words, sizeof list->words, "%.120s: more than %lld members", url,
                 (long long)r->options->max_members);
        return;
    }
    list->reading =
        (struct sg_member_reading){.version = version_of(r->arena, values), .source_url = url};
    sg_members_read(r->arena, members, count, &list->reading);
    list->found = true;
}

static bool list_read(const struct reader *r, struct sg_ldap *ldap,
                      const struct sg_directory_source_row *source, struct sg_list_result *list,
                      struct sg_error *err)
{
    const char *const attributes[] = {"rfc822MailMember", r->options->version_attribute,
                                      "modifyTimestamp", NULL};
    const struct sg_ldap_query query = {
        .base_dn = source->base_dn,
        .filter = filter_text(r->arena, list->list->name),
        .scope = LDAP_SCOPE_SUBTREE,
        .attributes = attributes,
        .max_values = (size_t)r->options->max_members + VALUES_FURTHER,
        .page_size = PAGE,
    };
    struct sg_ldap_values values = {0};
    if (!sg_ldap_search(ldap, &query, sg_deadline_in(r->options->timeout_ms), r->arena, &values,
                        err))
        return false;
    if (values.entries > 0)
        list_take(r, source->url, &values, list);
    return true;
}

static void source_read(const struct reader *r, struct sg_source_result *result)
{
    const struct sg_directory_source_row *source = &result->due->source;
    struct sg_directory_readings *all = r->readings;
    struct sg_ldap *ldap =
        sg_ldap_new(source->url, source->ca_pem, (size_t)r->options->max_members * MEMBER_BYTES);
    struct sg_error err = {0};
    sg_ldap_account(ldap, source->bind_dn, r->options->credentials_dir, source->credential);
    result->tried = result->ok = true;
    for (size_t i = 0; i < all->list_count && result->ok; i++)
        if (!all->lists[i].found)
            result->ok = list_read(r, ldap, source, &all->lists[i], &err);
    sg_ldap_free(&ldap);
    if (result->ok) {
        all->answered++;
        return;
    }
    snprintf(result->words, sizeof result->words, "%s", err.detail);
    sg_log_error(SG_LOG_WARNING, "directory.source-failed", &err, "source", source->id, NULL);
}

static bool complete(const struct sg_directory_readings *readings)
{
    for (size_t i = 0; i < readings->list_count; i++)
        if (!readings->lists[i].found)
            return false;
    return true;
}

/* Why a list was not read: the first source that failed, or that all of them lack it. */
static void words_fill(struct sg_directory_readings *readings, struct sg_list_result *list)
{
    bool all = readings->answered == readings->source_count;
    const char *words =
        all ? SG_LIST_NOWHERE : "the directories that answered do not have this list";
    for (size_t i = 0; i < readings->source_count; i++)
        if (!readings->sources[i].ok && readings->sources[i].words[0]) {
            words = readings->sources[i].words;
            break;
        }
    if (!list->words[0])
        snprintf(list->words, sizeof list->words, "%s", words);
}

/* Those that are due; or, late, those that failed lately. */
static void pass(const struct reader *r, sg_time now, bool late)
{
    struct sg_directory_readings *all = r->readings;
    for (size_t i = 0; i < all->source_count && !complete(all); i++)
        if (!all->sources[i].tried && (all->sources[i].due->retry_at > now) == late)
            source_read(r, &all->sources[i]);
}

void sg_directory_read(const struct sg_directory_options *options, struct sg_arena *arena,
                       sg_time now, struct sg_directory_readings *readings)
{
    const struct reader r = {options, arena, readings};
    pass(&r, now, false);
    if (readings->answered == 0)
        pass(&r, now, true);
    for (size_t i = 0; i < readings->list_count; i++)
        if (!readings->lists[i].found)
            words_fill(readings, &readings->lists[i]);
}
