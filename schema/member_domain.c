#include "schema/member_domain.h"

#include "schema/db_internal.h"

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    const char **environment = arg;
    *environment = sg_row_text(r);
    return true;
}

bool sg_member_domain_find(struct sg_db *db, struct sg_arena *arena, const char *name,
                           const char **environment_r, bool *found_r, struct sg_error *err)
{
    const char *environment = NULL;
    struct sg_params p = {0};
    sg_param_text(&p, name);
    bool ok = sg_db_read(db, arena, SG_Q_MEMBER_DOMAIN_FIND, &p, take, &environment, err);
    *environment_r = environment;
    *found_r = ok && environment;
    return ok;
}

static bool take_list(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    struct sg_member_lists *lists = arg;
    const struct {
        const char *environment;
        bool *on;
    } all[] = {{"seemail", &lists->seemail},
               {"securemail", &lists->securemail},
               {"workspace", &lists->workspace},
               {"seemail-test", &lists->seemail_test},
               {"securemail-test", &lists->securemail_test}};
    const char *environment = sg_row_text(r);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        *all[i].on |= environment && strcmp(environment, all[i].environment) == 0;
    return true;
}

bool sg_member_domain_lists(struct sg_db *db, struct sg_arena *arena, const char *name,
                            struct sg_member_lists *lists_r, struct sg_error *err)
{
    struct sg_params p = {0};
    *lists_r = (struct sg_member_lists){0};
    sg_param_text(&p, name);
    return sg_db_read(db, arena, SG_Q_MEMBER_DOMAIN_LISTS, &p, take_list, lists_r, err);
}

struct names {
    struct sg_arena *arena;
    const char **items;
    size_t count;
};

static bool take_name(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    struct names *names = arg;
    (void)err;
    if (index == 0)
        names->items = SG_ARENA_ARRAY(names->arena, const char *, count);
    names->items[names->count++] = sg_row_text(r);
    return true;
}

bool sg_member_domain_agencies(struct sg_db *db, struct sg_arena *arena, int64_t limit,
                               const char ***names_r, size_t *count_r, struct sg_error *err)
{
    struct names names = {.arena = arena};
    struct sg_params p = {0};
    sg_param_int(&p, limit);
    bool ok = sg_db_read(db, arena, SG_Q_MEMBER_DOMAIN_AGENCIES, &p, take_name, &names, err);
    *names_r = names.items;
    *count_r = names.count;
    return ok;
}
