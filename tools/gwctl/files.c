#include "gwctl.h"

#include "common/buf.h"
#include "common/certificate.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES_MAX 65536

const char *gw_file_read(struct gw *gw, const char *path, struct sg_error *err)
{
    SG_AUTO_BUF buf;
    sg_buf_init(&buf, FILE_BYTES_MAX);
    char part[4096];
    ssize_t n;
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        sg_fail_errno(err, SG_E_IO, "cannot open %.100s", path);
        return NULL;
    }
    while ((n = read(fd, part, sizeof part)) > 0 && sg_buf_add(&buf, part, (size_t)n))
        ;
    if (fd != STDIN_FILENO)
        close(fd);
    if (n < 0 || buf.overflown || (buf.len && memchr(buf.data, 0, buf.len))) {
        sg_fail(err, SG_E_IO, "%.100s: cannot be read, is larger than %d bytes, or is no text",
                path, FILE_BYTES_MAX);
        return NULL;
    }
    return sg_arena_str(gw->arena, sg_buf_bytes(&buf));
}

bool gw_file_write(const char *path, const char *text, unsigned mode, bool replace,
                   struct sg_error *err)
{
    return gw_file_write_bytes(path, sg_bytes_str(text), mode, replace, err);
}

bool gw_file_write_bytes(const char *path, struct sg_bytes data, unsigned mode, bool replace,
                         struct sg_error *err)
{
    if (strcmp(path, "-") == 0)
        return fwrite(data.data, 1, data.len, stdout) == data.len ||
               sg_fail(err, SG_E_IO, "cannot write");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (replace ? O_TRUNC : O_EXCL), mode);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_IO, "cannot write %.100s", path);
    ssize_t n = 1;
    for (size_t at = 0; at < data.len && n > 0; at += n > 0 ? (size_t)n : 0)
        n = write(fd, data.data + at, data.len - at);
    if (n <= 0)
        sg_fail_errno(err, SG_E_IO, "cannot write %.100s", path);
    close(fd);
    return n > 0;
}

const char *gw_fingerprint(struct gw *gw, const char *path, struct sg_error *err)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    const char *pem = gw_file_read(gw, path, err);
    if (!pem)
        return NULL;
    BIO *in = BIO_new_mem_buf(pem, -1);
    X509 *x = in ? PEM_read_bio_X509(in, NULL, sg_pem_no_password, NULL) : NULL;
    bool ok = x && X509_digest(x, EVP_sha256(), hash, &n) == 1;
    X509_free(x);
    BIO_free(in);
    if (!ok) {
        sg_fail(err, SG_E_INVALID, "%.100s holds no certificate in PEM", path);
        return NULL;
    }
    const char *hex = "";
    for (unsigned i = 0; i < n; i++)
        hex = sg_arena_printf(gw->arena, "%s%02x", hex, hash[i]);
    return hex;
}
