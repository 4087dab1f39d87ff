#include "common/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void sg_secret_wipe(struct sg_secret *secret)
{
    OPENSSL_cleanse(secret, sizeof *secret);
}

bool sg_secret_set(struct sg_secret *secret, const void *data, size_t len, struct sg_error *err)
{
    if (len > sizeof secret->data)
        return sg_fail(err, SG_E_LIMIT, "secret of %zu bytes, at most %d", len, SG_SECRET_MAX);
    sg_secret_wipe(secret);
    if (len)
        memcpy(secret->data, data, len);
    secret->len = len;
    return true;
}

bool sg_secret_read(struct sg_secret *secret, const char *path, struct sg_error *err)
{
    static const char prefix[] = "credential:";
    char full[512];
    if (strncmp(path, prefix, sizeof prefix - 1) == 0) {
        const char *dir = getenv("CREDENTIALS_DIRECTORY");
        if (!dir)
            return sg_fail(err, SG_E_CONFIG, "%s: no CREDENTIALS_DIRECTORY", path);
        int n = snprintf(full, sizeof full, "%s/%s", dir, path + sizeof prefix - 1);
        if (n < 0 || (size_t)n >= sizeof full)
            return sg_fail(err, SG_E_CONFIG, "%s: path too long", path);
        path = full;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_CONFIG, "cannot open %s", path);
    struct stat st;
    bool ok = false;
    if (fstat(fd, &st) != 0 || (st.st_mode & 0007) != 0) {
        sg_fail(err, SG_E_CONFIG, "%s: a secret that others may read", path);
        goto out;
    }
    sg_secret_wipe(secret);
    size_t len = 0;
    for (;;) {
        ssize_t n = read(fd, secret->data + len, sizeof secret->data - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            sg_fail_errno(err, SG_E_IO, "cannot read %s", path);
            goto out;
        }
        if (n == 0)
            break;
        len += (size_t)n;
        if (len == sizeof secret->data) {
            sg_fail(err, SG_E_LIMIT, "%s: longer than %d bytes", path, SG_SECRET_MAX - 1);
            goto out;
        }
    }
    if (len && secret->data[len - 1] == '\n')
        len--;
    secret->len = len;
    ok = len > 0 || sg_fail(err, SG_E_CONFIG, "%s is empty", path);
out:
    if (!ok)
        sg_secret_wipe(secret);
    close(fd);
    return ok;
}

bool sg_credential_path(const char *dir, const char *name, const char *suffix,
                        char path[SG_CREDENTIAL_PATH], struct sg_error *err)
{
    const char *folder = *dir ? dir : getenv("CREDENTIALS_DIRECTORY");
    if (!folder)
        return sg_fail(err, SG_E_CONFIG, "there is no credentials directory for %s%s", name,
                       suffix);
    int n = snprintf(path, SG_CREDENTIAL_PATH, "%s/%s%s", folder, name, suffix);
    return (n > 0 && n < SG_CREDENTIAL_PATH) ||
           sg_fail(err, SG_E_CONFIG, "the path of %s is too long", name);
}

bool sg_secret_equal(struct sg_bytes a, struct sg_bytes b)
{
    return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}
