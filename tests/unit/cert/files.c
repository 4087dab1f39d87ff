#include "files.h"

#include "common/buf.h"

#include <dirent.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILES 1000

bool files_read(struct sg_arena *arena, const char *path, struct sg_bytes *data_r)
{
    FILE *in = fopen(path, "rbe");
    if (!in)
        return false;
    SG_AUTO_BUF data;
    sg_buf_init(&data, 0);
    char chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, in)) > 0;)
        sg_buf_add(&data, chunk, n);
    fclose(in);
    *data_r = sg_arena_copy(arena, sg_buf_bytes(&data));
    return true;
}

static bool write_whole(const char *path, struct sg_bytes data)
{
    char temporary[4096];
    snprintf(temporary, sizeof temporary, "%s.%lx", path, (unsigned long)pthread_self());
    FILE *out = fopen(temporary, "wbe");
    if (!out)
        return false;
    bool ok = fwrite(data.data, 1, data.len, out) == data.len;
    return (fclose(out) == 0) && ok && rename(temporary, path) == 0;
}

static bool reachable(const char *folder, struct sg_error *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/away", folder);
    if (access(path, F_OK) == 0)
        return sg_fail(err, SG_E_DB_UNAVAILABLE, "the test took storage away");
    return true;
}

/* The hash of a string, as a file name. */
static const char *hashed(struct sg_arena *arena, struct sg_bytes data)
{
    unsigned char digest[32];
    char hex[65];
    EVP_Digest(data.data, data.len, digest, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return sg_arena_strdup(arena, hex);
}

void files_read_folder(struct sg_arena *arena, const char *path, struct sg_cert_der_list *list_r)
{
    list_r->items = SG_ARENA_ARRAY(arena, struct sg_bytes, MAX_FILES);
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *file = sg_arena_printf(arena, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && list_r->count < MAX_FILES &&
            files_read(arena, file, &list_r->items[list_r->count]))
            list_r->count++;
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

static atomic_size_t anchors_read;

size_t files_anchors_read(void)
{
    return anchors_read;
}

static bool anchors(void *ctx, struct sg_arena *arena, struct sg_cert_der_list *list_r,
                    struct sg_error *err)
{
    anchors_read++;
    if (!reachable(ctx, err))
        return false;
    files_read_folder(arena, sg_arena_printf(arena, "%s/anchors", (const char *)ctx), list_r);
    return true;
}

static bool domain_anchors(void *ctx, struct sg_arena *arena, const char *domain_id,
                           struct sg_cert_der_list *list_r, struct sg_error *err)
{
    if (!reachable(ctx, err))
        return false;
    files_read_folder(arena, sg_arena_printf(arena, "%s/anchors-%s", (const char *)ctx, domain_id),
                      list_r);
    return true;
}

static bool directories(void *ctx, struct sg_arena *arena, struct sg_cert_directory **list_r,
                        size_t *count_r, struct sg_error *err)
{
    if (!reachable(ctx, err))
        return false;
    *list_r = SG_ARENA_ARRAY(arena, struct sg_cert_directory, MAX_FILES);
    *count_r = 0;
    FILE *in = fopen(sg_arena_printf(arena, "%s/directories", (const char *)ctx), "re");
    char url[500], base[200], ca[500], anchor[500], filter[300], attribute[100], bind_dn[300],
        credential[65];
    while (in && *count_r < MAX_FILES &&
           fscanf(in, "%499s %199s %499s %499s %299s %99s %299s %64s", url, base, ca, anchor,
                  filter, attribute, bind_dn, credential) == 8) {
        struct sg_bytes pem = {0}, der = {0};
        bool with_ca = strcmp(ca, "-") != 0 && files_read(arena, ca, &pem);
        if (strcmp(anchor, "-") != 0 && !files_read(arena, anchor, &der))
            der.len = 0;
        (*list_r)[(*count_r)++] = (struct sg_cert_directory){
            .url = sg_arena_strdup(arena, url),
            .base_dn = sg_arena_strdup(arena, base),
            .ca_pem = with_ca ? sg_arena_str(arena, pem) : NULL,
            .anchor = der,
            .filter = strcmp(filter, "-") != 0 ? sg_arena_strdup(arena, filter) : NULL,
            .attribute = strcmp(attribute, "-") != 0 ? sg_arena_strdup(arena, attribute) : NULL,
            .bind_dn = strcmp(bind_dn, "-") != 0 ? sg_arena_strdup(arena, bind_dn) : NULL,
            .credential = sg_arena_strdup(arena, credential)};
    }
    if (in)
        fclose(in);
    return true;
}

static bool partner_find(void *ctx, struct sg_arena *arena, const struct sg_cert_stored *wanted,
                         struct sg_cert_der_list *list_r, struct sg_error *err)
{
    if (!reachable(ctx, err))
        return false;
    files_read_folder(
        arena, sg_arena_printf(arena, "%s/partners/%s", (const char *)ctx, wanted->domain), list_r);
    return true;
}

static bool partner_store(void *ctx, const struct sg_cert_partner *partner, bool *usable_r,
                          bool *waits_r, struct sg_error *err)
{
    *waits_r = partner->approval;
    *usable_r = !*waits_r;
    if (!reachable(ctx, err))
        return false;
    SG_AUTO_ARENA arena = sg_arena_new();
    const char *folder =
        sg_arena_printf(arena, "%s/partners/%s", (const char *)ctx, partner->domain);
    mkdir(folder, 0755);
    return write_whole(sg_arena_printf(arena, "%s/%s", folder, hashed(arena, partner->der)),
                       partner->der) ||
           sg_fail_errno(err, SG_E_IO, "cannot write");
}

/* Not of what is taken away: gatewayd keeps the answers (schema/query_cache.c). */
static bool revoked_here(void *ctx, const uint8_t sha256[32], bool *revoked_r, struct sg_error *err)
{
    char hex[65];
    (void)err;
    SG_AUTO_ARENA arena = sg_arena_new();
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", sha256[i]);
    *revoked_r = access(sg_arena_printf(arena, "%s/revoked-%s", (const char *)ctx, hex), F_OK) == 0;
    return true;
}

static const char *crl_path(struct sg_arena *arena, const char *folder, const char *url)
{
    return sg_arena_printf(arena, "%s/crls/%s", folder, hashed(arena, sg_bytes_str(url)));
}

static bool crl_find(void *ctx, struct sg_arena *arena, const char *url, struct sg_bytes *der_r,
                     bool *found_r, struct sg_error *err)
{
    if (!reachable(ctx, err))
        return false;
    *found_r = files_read(arena, crl_path(arena, ctx, url), der_r);
    return true;
}

static bool crl_store(void *ctx, const char *url, struct sg_bytes der, sg_time this_update,
                      sg_time next_update, sg_time now, struct sg_error *err)
{
    (void)this_update, (void)next_update, (void)now;
    if (!reachable(ctx, err))
        return false;
    SG_AUTO_ARENA arena = sg_arena_new();
    return write_whole(crl_path(arena, ctx, url), der) ||
           sg_fail_errno(err, SG_E_IO, "cannot write");
}

static bool crl_forget(void *ctx, sg_time before, struct sg_error *err)
{
    (void)before;
    return reachable(ctx, err);
}

/* "GRACE BYPASS" in seconds; the second is a point in time. */
static bool domain_choice(void *ctx, struct sg_arena *arena, const char *domain_id,
                          struct sg_cert_choice *choice_r, struct sg_error *err)
{
    if (!reachable(ctx, err))
        return false;
    FILE *in = fopen(sg_arena_printf(arena, "%s/choice-%s", (const char *)ctx, domain_id), "re");
    int64_t grace, bypass;
    if (in && fscanf(in, "%" SCNd64 " %" SCNd64, &grace, &bypass) == 2)
        *choice_r = (struct sg_cert_choice){grace < 0 ? -1 : grace * SG_SECOND, bypass * SG_SECOND};
    if (in)
        fclose(in);
    return true;
}

/* "UNTIL REASON" in seconds and a word. */
static bool crl_bypass(void *ctx, struct sg_arena *arena, const uint8_t sha256[32], sg_time now,
                       struct sg_cert_bypass *bypass_r, struct sg_error *err)
{
    char hex[65], reason[64];
    int64_t until;
    if (!reachable(ctx, err))
        return false;
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", sha256[i]);
    FILE *in = fopen(sg_arena_printf(arena, "%s/bypass-%s", (const char *)ctx, hex), "re");
    if (in && fscanf(in, "%" SCNd64 " %63s", &until, reason) == 2 && until * SG_SECOND > now)
        *bypass_r = (struct sg_cert_bypass){until * SG_SECOND, sg_arena_strdup(arena, reason)};
    if (in)
        fclose(in);
    return true;
}

struct sg_cert_storage files_storage(const char *folder)
{
    return (struct sg_cert_storage){.ctx = (void *)(uintptr_t)folder,
                                    .anchors = anchors,
                                    .domain_anchors = domain_anchors,
                                    .directories = directories,
                                    .partner_find = partner_find,
                                    .partner_store = partner_store,
                                    .revoked_here = revoked_here,
                                    .crl_find = crl_find,
                                    .crl_store = crl_store,
                                    .crl_forget = crl_forget,
                                    .domain_choice = domain_choice,
                                    .crl_bypass = crl_bypass};
}
