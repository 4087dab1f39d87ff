#include "commands.h"

#include "common/deadline.h"
#include "common/id.h"
#include "common/secret.h"
#include "schema/access.h"
#include "schema/token.h"
#include "settings.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RANDOM_BYTES 32
#define DAYS_DEFAULT 365

struct request {
    const char *config, *role, *scope, *tenant, *name, *out;
    int days;
};

static int usage(void)
{
    fputs("usage: tenantd token -c FILE --role ROLE [--scope \"SCOPE…\"] [--tenant ID]\n"
          "                     --name NAME [--days N] --out FILE\nroles:",
          stderr);
    for (const char *const *name = sg_role_names; *name; name++)
        fprintf(stderr, " %s", *name);
    fputs("\nscopes, each with :read or :write behind it:", stderr);
    for (int scope = 0; scope < SG_SCOPE_COUNT; scope++)
        fprintf(stderr, " %s", sg_scope_name(scope));
    fputs("\n", stderr);
    return 2;
}

static bool arguments_read(int argc, char **argv, struct request *r)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "-c") == 0)
            r->config = value;
        else if (strcmp(argv[i], "--role") == 0)
            r->role = value;
        else if (strcmp(argv[i], "--scope") == 0)
            r->scope = value;
        else if (strcmp(argv[i], "--tenant") == 0)
            r->tenant = value;
        else if (strcmp(argv[i], "--name") == 0)
            r->name = value;
        else if (strcmp(argv[i], "--out") == 0)
            r->out = value;
        else if (strcmp(argv[i], "--days") == 0)
            r->days = (int)strtol(value, NULL, 10);
        else
            return false;
    }
    return argc % 2 == 1 && r->config && r->role && r->name && r->out && r->days >= 1 &&
           r->days <= 3650;
}

/* "sgt_" and 32 random bytes in base64url without padding: 43 characters. */
static bool token_make(struct sg_secret *token, struct sg_error *err)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bits[RANDOM_BYTES];
    if (RAND_bytes(bits, sizeof bits) != 1)
        return sg_fail_openssl(err, SG_E_CRYPTO, "no randomness");
    memcpy(token->data, "sgt_", 4);
    token->len = 4;
    unsigned acc = 0, have = 0;
    for (size_t i = 0; i < sizeof bits; i++) {
        acc = acc << 8 | bits[i];
        for (have += 8; have >= 6; have -= 6)
            token->data[token->len++] = (uint8_t)digits[acc >> (have - 6) & 63];
        acc &= (1u << have) - 1;
    }
    token->data[token->len++] = (uint8_t)digits[acc << (6 - have) & 63];
    OPENSSL_cleanse(bits, sizeof bits);
    OPENSSL_cleanse(&acc, sizeof acc);
    return true;
}

static bool token_write(const char *path, const struct sg_secret *token, struct sg_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_IO, "cannot create %s", path);
    bool ok = write(fd, token->data, token->len) == (ssize_t)token->len &&
              write(fd, "\n", 1) == 1 && fsync(fd) == 0;
    if (!ok)
        sg_fail_errno(err, SG_E_IO, "cannot write %s", path);
    close(fd);
    return ok;
}

static bool insert(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    return sg_token_insert(tx, arg, err);
}

/* The file comes first, for a token that nobody could read would be of no use. */
static bool token_issue(const struct settings *settings, const struct request *r,
                        struct sg_error *err)
{
    SG_AUTO_SECRET token = {0};
    uint8_t hash[SHA256_DIGEST_LENGTH];
    struct sg_db_options options = settings_database(settings);
    struct sg_db *db = NULL;
    struct sg_access access;
    if (!sg_access_of(r->role, r->tenant != NULL, r->scope, &access, err))
        return false;
    if (!token_make(&token, err) || !token_write(r->out, &token, err))
        return false;
    SHA256(token.data, token.len, hash);
    struct sg_id id = sg_id_new("tok");
    struct sg_token_new row = {.id = id.text,
                               .tenant_id = r->tenant,
                               .role = r->role,
                               .name = r->name,
                               .scope = r->scope,
                               .hash = sg_bytes_of(hash, sizeof hash),
                               .expires_at = sg_clock_now() + r->days * SG_DAY};
    char actor[80];
    snprintf(actor, sizeof actor, "tenantd token (uid %u)", (unsigned)getuid());
    struct sg_db_context ctx = {.tenant = r->tenant, .actor = actor};
    bool ok = sg_db_open(&options, &db, err) && sg_db_transact(db, &ctx, insert, &row, err);
    sg_db_close(&db);
    if (!ok)
        unlink(r->out);
    return ok;
}

int command_token(int argc, char **argv)
{
    struct request r = {.days = DAYS_DEFAULT};
    if (!arguments_read(argc, argv, &r))
        return usage();
    struct settings settings = {0};
    struct sg_daemon_spec spec = settings_spec(&settings);
    char flag[] = "-c";
    char *daemon_argv[] = {argv[0], flag, (char *)r.config, NULL};
    int status = sg_daemon_begin(&spec, 3, daemon_argv);
    if (status < 0) {
        struct sg_error err = {0};
        status = 0;
        if (!token_issue(&settings, &r, &err)) {
            fprintf(stderr, "tenantd token: %s\n", err.detail);
            status = 1;
        }
    }
    sg_config_free(spec.options, spec.option_count, &settings);
    return status;
}
