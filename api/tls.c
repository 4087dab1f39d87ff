#include "api/tls.h"

#include "api/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX 262144

const char api_tls_priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:"
    "+CHACHA20-POLY1305:%SERVER_PRECEDENCE";

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static bool text_read(int fd, size_t size, char *text)
{
    size_t n = 0;
    while (n < size) {
        ssize_t got = read(fd, text + n, size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    return true;
}

static bool file_read(const char *path, bool secret, char **text_r, struct sg_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        sg_fail_errno(err, SG_E_CONFIG, "cannot read %s", path);
    } else if (!S_ISREG(st.st_mode) || st.st_size < 1 || st.st_size > FILE_BYTES_MAX) {
        sg_fail(err, SG_E_CONFIG, "%s is not a file of 1 to %d bytes", path, FILE_BYTES_MAX);
    } else if (secret && st.st_mode & (S_IRWXO | S_IWGRP)) {
        sg_fail(err, SG_E_CONFIG, "%s may be read by others", path);
    } else {
        *text_r = calloc(1, (size_t)st.st_size + 1);
        if (!*text_r)
            sg_fail(err, SG_E_NO_MEMORY, "out of memory");
        else if (!text_read(fd, (size_t)st.st_size, *text_r))
            sg_fail_errno(err, SG_E_IO, "cannot read %s", path);
        else {
            close(fd);
            return true;
        }
    }
    if (fd >= 0)
        close(fd);
    return false;
}

/* libmicrohttpd says no more than that it did not start: what is wrong is found here. */
static bool pair_check(const struct api_tls *tls, struct sg_error *err)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t certificate = {(unsigned char *)tls->certificate,
                                  (unsigned)strlen(tls->certificate)};
    gnutls_datum_t key = {(unsigned char *)tls->key, (unsigned)strlen(tls->key)};
    gnutls_datum_t ca = {(unsigned char *)tls->client_ca,
                         tls->client_ca ? (unsigned)strlen(tls->client_ca) : 0};
    if (gnutls_certificate_allocate_credentials(&credentials) != GNUTLS_E_SUCCESS)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    int code =
        gnutls_certificate_set_x509_key_mem(credentials, &certificate, &key, GNUTLS_X509_FMT_PEM);
    int roots = tls->client_ca
                    ? gnutls_certificate_set_x509_trust_mem(credentials, &ca, GNUTLS_X509_FMT_PEM)
                    : 1;
    gnutls_certificate_free_credentials(credentials);
    if (code != GNUTLS_E_SUCCESS)
        return sg_fail(err, SG_E_CONFIG, "TLS certificate and key: %s", gnutls_strerror(code));
    return roots > 0 || sg_fail(err, SG_E_CONFIG, "TLS client CA: %s",
                                roots < 0 ? gnutls_strerror(roots) : "there is none in the file");
}

bool api_tls_read(const struct api_settings *settings, struct api_tls *tls_r, struct sg_error *err)
{
    *tls_r = (struct api_tls){0};
    if (file_read(settings->tls_certificate_file, false, &tls_r->certificate, err) &&
        file_read(settings->tls_key_file, true, &tls_r->key, err) &&
        (!*settings->tls_client_ca_file ||
         file_read(settings->tls_client_ca_file, false, &tls_r->client_ca, err)) &&
        pair_check(tls_r, err))
        return true;
    api_tls_free(tls_r);
    return false;
}

void api_tls_free(struct api_tls *tls)
{
    wipe(&tls->certificate);
    wipe(&tls->key);
    wipe(&tls->client_ca);
}

const char *api_tls_peer(struct MHD_Connection *connection, struct sg_arena *arena)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t session = info ? info->tls_session : NULL;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned count = 0, status = ~0u;
    uint8_t sha256[32];
    if (!session)
        return NULL;
    const gnutls_datum_t *certificates = gnutls_certificate_get_peers(session, &count);
    if (!certificates || count == 0 ||
        gnutls_certificate_verify_peers(session, &purpose, 1, &status) != GNUTLS_E_SUCCESS ||
        status != 0 ||
        EVP_Digest(certificates[0].data, certificates[0].size, sha256, NULL, EVP_sha256(), NULL) !=
            1)
        return NULL;
    return api_hex(arena, sg_bytes_of(sha256, sizeof sha256));
}
