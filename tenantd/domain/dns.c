#include "domain/dns.h"

#include "common/clock.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>
#include <unistd.h>

#define TYPE_TXT       16
#define CLASS_IN       1
#define RCODE_NXDOMAIN 3

const char *sg_dns_verdict_name(enum sg_dns_verdict verdict)
{
    static const char *const names[] = {"found", "missing", "bogus", "unavailable"};
    return names[verdict];
}

static bool fail(struct sg_error *err, const char *what, int rc)
{
    return sg_fail(err, SG_E_CONFIG, "DNS: %.150s: %s", what, ub_strerror(rc));
}

/* Calls fn for each word of a list. */
static bool each(struct ub_ctx *ctx, const char *list, int (*fn)(struct ub_ctx *, const char *),
                 struct sg_error *err)
{
    char word[260];
    for (size_t n; *list; list += n) {
        list += strspn(list, " ");
        n = strcspn(list, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, list);
        int rc = n ? fn(ctx, word) : 0;
        if (rc != 0)
            return fail(err, word, rc);
    }
    return true;
}

/* Without forwarders the servers are asked from the root on. */
static int forwarder_add(struct ub_ctx *ctx, const char *address)
{
    int rc = ub_ctx_set_fwd(ctx, address);
    return rc ? rc : ub_ctx_set_option(ctx, "do-not-query-localhost:", "no");
}

static bool context_make(const struct sg_dns_options *o, struct ub_ctx **ctx_r,
                         struct sg_error *err)
{
    if (access(o->trust_anchor_file, R_OK) != 0) /* libunbound would not say which */
        return sg_fail_errno(err, SG_E_CONFIG, "DNS: trust anchor %.150s", o->trust_anchor_file);
    struct ub_ctx *ctx = ub_ctx_create();
    if (!ctx)
        return sg_fail(err, SG_E_NO_MEMORY, "ub_ctx_create");
    *ctx_r = ctx;
    int rc = ub_ctx_add_ta_file(ctx, o->trust_anchor_file);
    if (rc != 0)
        return fail(err, o->trust_anchor_file, rc);
    /* A thread of its own, so that the wait for it has an end. */
    rc = ub_ctx_async(ctx, 1);
    if (rc == 0)
        rc = ub_ctx_debuglevel(ctx, 0);
    /* The zones last: no other option can be set after the first. */
    return rc == 0 ? each(ctx, o->forwarders, forwarder_add, err) &&
                         each(ctx, o->reserved, ub_ctx_zone_remove, err)
                   : fail(err, "resolver", rc);
}

struct answer {
    bool done;
    int rc;
    struct ub_result *result;
};

static void answered(void *arg, int rc, struct ub_result *result)
{
    struct answer *a = arg;
    *a = (struct answer){true, rc, result};
}

/* Waits for the answer until the time is up. */
static bool resolve(struct ub_ctx *ctx, const char *name, int64_t timeout_ms, struct answer *a,
                    struct sg_error *err)
{
    int id = 0;
    int64_t end = sg_clock_monotonic_ms() + timeout_ms, left;
    int rc = ub_resolve_async(ctx, name, TYPE_TXT, CLASS_IN, a, answered, &id);
    if (rc != 0)
        return fail(err, name, rc);
    while (!a->done && (left = end - sg_clock_monotonic_ms()) > 0) {
        struct pollfd fd = {.fd = ub_fd(ctx), .events = POLLIN};
        if (poll(&fd, 1, (int)left) > 0)
            ub_process(ctx);
    }
    if (!a->done)
        ub_cancel(ctx, id);
    return true;
}

static void values_look(const struct ub_result *r, const char *name, const char *value,
                        struct sg_dns_look *look)
{
    int others = 0;
    for (int i = 0; r->havedata && r->data[i]; i++, others++) {
        if (sg_txt_is((const uint8_t *)r->data[i], (size_t)r->len[i], value)) {
            look->verdict = SG_DNS_FOUND;
            return;
        }
    }
    look->verdict = SG_DNS_MISSING;
    if (r->nxdomain)
        snprintf(look->words, sizeof look->words, "the name %.200s does not exist", name);
    else if (others == 0)
        snprintf(look->words, sizeof look->words, "there is no TXT record at %.200s", name);
    else
        snprintf(look->words, sizeof look->words,
                 "none of the %d TXT records at %.180s is the challenge", others, name);
}

static void judge(const struct answer *a, const char *name, const char *value, int64_t timeout_ms,
                  struct sg_dns_look *look)
{
    const struct ub_result *r = a->result;
    look->verdict = SG_DNS_UNAVAILABLE;
    look->dnssec = "";
    if (!a->done) {
        snprintf(look->words, sizeof look->words, "no answer from the DNS within %lld ms",
                 (long long)timeout_ms);
    } else if (a->rc != 0 || !r) {
        snprintf(look->words, sizeof look->words, "the DNS was not asked: %s", ub_strerror(a->rc));
    } else if (r->bogus) {
        look->verdict = SG_DNS_BOGUS;
        look->dnssec = "bogus";
        snprintf(look->words, sizeof look->words, "DNSSEC: %.200s",
                 r->why_bogus ? r->why_bogus : "the answer is bogus");
    } else if (r->rcode != 0 && r->rcode != RCODE_NXDOMAIN) {
        snprintf(look->words, sizeof look->words, "the name servers failed (RCODE %d)", r->rcode);
    } else {
        look->dnssec = r->secure ? "secure" : "insecure";
        values_look(r, name, value, look);
    }
}

bool sg_dns_txt(const struct sg_dns_options *options, const char *name, const char *value,
                struct sg_dns_look *look_r, struct sg_error *err)
{
    /* Making and ending a resolver touches globals of libunbound's (1.17) that other threads' would
     * still be using: one look at a time. Each is bounded by its time-out. */
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    struct ub_ctx *ctx = NULL;
    struct answer a = {0};
    memset(look_r, 0, sizeof *look_r);
    pthread_mutex_lock(&one);
    bool ok = context_make(options, &ctx, err) && resolve(ctx, name, options->timeout_ms, &a, err);
    if (ok)
        judge(&a, name, value, options->timeout_ms, look_r);
    ub_resolve_free(a.result);
    if (ctx)
        ub_ctx_delete(ctx);
    pthread_mutex_unlock(&one);
    return ok;
}
