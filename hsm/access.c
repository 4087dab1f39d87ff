#include "hsm/access.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>

/* Cuts what stands before the first sep off *rest. */
static struct sg_bytes cut(struct sg_bytes *rest, char sep)
{
    const uint8_t *at = rest->len ? memchr(rest->data, sep, rest->len) : NULL;
    size_t n = at ? (size_t)(at - rest->data) : rest->len;
    struct sg_bytes part = sg_bytes_slice(*rest, 0, n);
    *rest = sg_bytes_slice(*rest, at ? n + 1 : n, rest->len);
    return part;
}

static bool uid_parse(struct sg_bytes text, uid_t *uid_r)
{
    char name[64], *end, buf[1024];
    if (text.len == 0 || text.len >= sizeof name)
        return false;
    memcpy(name, text.data, text.len);
    name[text.len] = 0;
    if (name[0] >= '0' && name[0] <= '9') {
        errno = 0;
        unsigned long n = strtoul(name, &end, 10);
        *uid_r = (uid_t)n;
        return *end == 0 && errno == 0 && n < UINT32_MAX;
    }
    struct passwd pw, *found = NULL;
    if (getpwnam_r(name, &pw, buf, sizeof buf, &found) != 0 || !found)
        return false;
    *uid_r = pw.pw_uid;
    return true;
}

static bool rule_parse(struct sg_bytes item, struct sg_access_rule *rule, struct sg_error *err)
{
    struct sg_bytes rest = item;
    struct sg_bytes uid = cut(&rest, ':'), class = cut(&rest, ':');
    int len = (int)item.len;
    const char *text = (const char *)item.data;
    if (!uid_parse(uid, &rule->uid))
        return sg_fail(err, SG_E_CONFIG, "rules: no such user in %.*s", len, text);
    if (!sg_hsm_class_parse(class, &rule->class))
        return sg_fail(err, SG_E_CONFIG, "rules: no such key class in %.*s", len, text);
    if (item.data[item.len - 1] == ',')
        return sg_fail(err, SG_E_CONFIG, "rules: ends with a comma: %.*s", len, text);
    rule->ops = 0;
    do {
        struct sg_bytes name = cut(&rest, ',');
        enum sg_hsm_op op;
        if (!sg_hsm_op_parse(name, &op) || !sg_hsm_op_fits(op, rule->class))
            return sg_fail(err, SG_E_CONFIG, "rules: no such operation of that class in %.*s", len,
                           text);
        rule->ops |= 1u << op;
    } while (rest.len);
    return true;
}

bool sg_access_parse(const char *text, struct sg_access *access, struct sg_error *err)
{
    struct sg_bytes rest = sg_bytes_str(text);
    access->count = 0;
    while (rest.len) {
        struct sg_bytes item = cut(&rest, ' ');
        if (item.len == 0)
            continue;
        if (access->count == SG_ACCESS_RULES)
            return sg_fail(err, SG_E_CONFIG, "rules: more than %d", SG_ACCESS_RULES);
        if (!rule_parse(item, &access->rules[access->count++], err))
            return false;
    }
    return access->count > 0 || sg_fail(err, SG_E_CONFIG, "rules: nobody may do anything");
}

bool sg_access_known(const struct sg_access *access, uid_t uid)
{
    for (size_t i = 0; i < access->count; i++)
        if (access->rules[i].uid == uid)
            return true;
    return false;
}

bool sg_access_allows(const struct sg_access *access, uid_t uid, enum sg_hsm_op op,
                      enum sg_hsm_class class)
{
    if (op == SG_HSM_OP_HEALTH)
        return sg_access_known(access, uid);
    for (size_t i = 0; i < access->count; i++) {
        const struct sg_access_rule *r = &access->rules[i];
        if (r->uid == uid && r->class == class && (r->ops >> op & 1))
            return true;
    }
    return false;
}
