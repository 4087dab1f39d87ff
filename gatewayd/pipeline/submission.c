#include "pipeline/submission.h"

#include "common/buf.h"
#include "common/id.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#define MAC_BYTES 32
#define AHEAD     (300 * SG_SECOND) /* by which nodes' clocks may differ */

char *sg_submission_sender(struct sg_arena *arena, const char *address, bool quoted)
{
    char *s = sg_arena_strdup(arena, address), *at = strrchr(s, '@');
    if (quoted && at && at - s >= 2 && s[0] == '"' && at[-1] == '"') {
        char *to = s;
        for (const char *p = s + 1; p < at - 1; p++) {
            if (*p == '\\' && p + 1 < at - 1)
                p++;
            *to++ = *p;
        }
        memmove(to, at, strlen(at) + 1);
    }
    for (char *p = s; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    return s;
}

/* Each part with its length, so that no two submissions have the same input. */
static bool mac_make(const struct sg_secret *key, const struct sg_submission *s,
                     uint8_t mac[MAC_BYTES], struct sg_error *err)
{
    SG_AUTO_BUF in;
    sg_buf_init(&in, 4096);
    const char *parts[] = {"sealgate-submission-1", s->tenant, s->submitter, s->sender,
                           s->queue_id};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        sg_buf_addf(&in, "%zu:%s,", strlen(parts[i]), parts[i]);
    sg_buf_addf(&in, "%lld", (long long)(s->at / SG_SECOND));
    unsigned len = 0;
    if (in.overflown || !HMAC(EVP_sha256(), key->data, (int)key->len, in.data, in.len, mac, &len) ||
        len != MAC_BYTES)
        return sg_fail_openssl(err, SG_E_CRYPTO, "submission MAC");
    return true;
}

bool sg_submission_make(const struct sg_submission_keys *keys,
                        const struct sg_submission *submission, char *value, size_t size,
                        struct sg_error *err)
{
    uint8_t mac[MAC_BYTES];
    char hex[2 * MAC_BYTES + 1];
    if (!mac_make(&keys->keys[0], submission, mac, err))
        return false;
    sg_hex_lower(mac, MAC_BYTES, hex);
    int n =
        snprintf(value, size, "v=1; tenant=%s; submitter=%s; at=%lld; mac=%s", submission->tenant,
                 submission->submitter, (long long)(submission->at / SG_SECOND), hex);
    return (n > 0 && (size_t)n < size) || sg_fail(err, SG_E_INTERNAL, "submission header too long");
}

static bool hex_read(const char *hex, uint8_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned byte = 0;
        for (int half = 0; half < 2; half++) {
            char c = *hex++;
            unsigned v = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                : 16;
            if (v == 16)
                return false;
            byte = byte << 4 | v;
        }
        out[i] = (uint8_t)byte;
    }
    return *hex == 0;
}

bool sg_submission_check(const struct sg_submission_keys *keys, struct sg_arena *arena,
                         const char *value, const char *sender, const char *queue_id, sg_time now,
                         struct sg_submission *submission_r, struct sg_error *err)
{
    char tenant[40], submitter[40], hex[2 * MAC_BYTES + 1], rest[2] = "";
    long long at = 0;
    if (sscanf(value,
               "v=1; tenant=%39[a-z0-9_]; submitter=%39[a-z0-9_]; at=%lld; mac=%64[0-9a-f]%1s",
               tenant, submitter, &at, hex, rest) != 4 ||
        !sg_id_valid(sg_bytes_str(tenant), "ten") || !sg_id_valid(sg_bytes_str(submitter), "sub") ||
        at < 0 || at > 1LL << 40)
        return sg_fail(err, SG_E_SUBMISSION, "submission header not readable");
    uint8_t given[MAC_BYTES], mac[MAC_BYTES];
    if (!hex_read(hex, given, MAC_BYTES))
        return sg_fail(err, SG_E_SUBMISSION, "submission header not readable");
    struct sg_submission s = {.tenant = sg_arena_strdup(arena, tenant),
                              .submitter = sg_arena_strdup(arena, submitter),
                              .sender = sender,
                              .queue_id = queue_id,
                              .at = (sg_time)at * SG_SECOND};
    bool good = false;
    for (size_t i = 0; i < keys->count && !good; i++) {
        if (!mac_make(&keys->keys[i], &s, mac, err))
            return false;
        good = sg_secret_equal(sg_bytes_of(mac, MAC_BYTES), sg_bytes_of(given, MAC_BYTES));
    }
    if (!good)
        return sg_fail(err, SG_E_SUBMISSION, "submission header's MAC does not fit");
    if (now - s.at > keys->max_age)
        return sg_fail(err, SG_E_SUBMISSION, "submission header is too old");
    /* We made it ourselves: it is our clock that was set back, and the mail is not at fault. */
    if (s.at > now + AHEAD)
        return sg_fail(err, SG_E_CLOCK, "submission header is of the future: the clock is behind");
    *submission_r = s;
    return true;
}

bool sg_submission_key_read(struct sg_submission_keys *keys, const char *path, struct sg_error *err)
{
    SG_AUTO_SECRET text = {0};
    if (keys->count == SG_SUBMISSION_KEYS)
        return sg_fail(err, SG_E_CONFIG, "more than %d submission keys", SG_SUBMISSION_KEYS);
    if (!sg_secret_read(&text, path, err))
        return false;
    struct sg_secret *key = &keys->keys[keys->count];
    if (text.len != 64)
        return sg_fail(err, SG_E_CONFIG, "%s: must be 64 hexadecimal digits", path);
    text.data[64] = 0;
    if (!hex_read((const char *)text.data, key->data, 32))
        return sg_fail(err, SG_E_CONFIG, "%s: must be 64 hexadecimal digits", path);
    key->len = 32;
    keys->count++;
    return true;
}
