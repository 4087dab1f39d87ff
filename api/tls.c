#include "api/tls.h"

#include "api/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <openssl/evp.h>
#include <stdatomic.h>
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

struct api_tls {
    gnutls_certificate_credentials_t credentials;
    bool clients; /* are asked for a certificate */
    atomic_int references;
};

static gnutls_datum_t datum(const char *text)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
}

static bool credentials_set(const struct api_tls *tls, const struct api_tls_files *files,
                            struct sg_error *err)
{
    gnutls_datum_t certificate = datum(files->certificate), key = datum(files->key);
    int code = gnutls_certificate_set_x509_key_mem(tls->credentials, &certificate, &key,
                                                   GNUTLS_X509_FMT_PEM);
    if (code != GNUTLS_E_SUCCESS)
        return sg_fail(err, SG_E_CONFIG, "TLS certificate and key: %s", gnutls_strerror(code));
    if (!files->client_ca)
        return true;
    gnutls_datum_t ca = datum(files->client_ca);
    int roots = gnutls_certificate_set_x509_trust_mem(tls->credentials, &ca, GNUTLS_X509_FMT_PEM);
    return roots > 0 || sg_fail(err, SG_E_CONFIG, "TLS client CA: %s",
                                roots < 0 ? gnutls_strerror(roots) : "there is none in the file");
}

/* What is wrong with the files is found here: libmicrohttpd says no more than that it did not
 * start. */
static bool tls_new(const struct api_tls_files *files, struct api_tls **tls_r, struct sg_error *err)
{
    struct api_tls *tls = calloc(1, sizeof *tls);
    if (!tls || gnutls_certificate_allocate_credentials(&tls->credentials) != GNUTLS_E_SUCCESS) {
        free(tls);
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    }
    atomic_init(&tls->references, 1);
    tls->clients = files->client_ca != NULL;
    *tls_r = tls;
    if (credentials_set(tls, files, err))
        return true;
    api_tls_drop(tls_r);
    return false;
}

bool api_tls_read(const struct api_settings *settings, struct api_tls_files *files_r,
                  struct api_tls **tls_r, struct sg_error *err)
{
    *files_r = (struct api_tls_files){0};
    *tls_r = NULL;
    if (file_read(settings->tls_certificate_file, false, &files_r->certificate, err) &&
        file_read(settings->tls_key_file, true, &files_r->key, err) &&
        (!*settings->tls_client_ca_file ||
         file_read(settings->tls_client_ca_file, false, &files_r->client_ca, err)) &&
        tls_new(files_r, tls_r, err))
        return true;
    api_tls_files_free(files_r);
    return false;
}

void api_tls_files_free(struct api_tls_files *files)
{
    wipe(&files->certificate);
    wipe(&files->key);
    wipe(&files->client_ca);
}

struct api_tls *api_tls_hold(struct api_tls *tls)
{
    atomic_fetch_add(&tls->references, 1);
    return tls;
}

void api_tls_drop(struct api_tls **tls)
{
    struct api_tls *t = *tls;
    *tls = NULL;
    if (!t || atomic_fetch_sub(&t->references, 1) > 1)
        return;
    gnutls_certificate_free_credentials(t->credentials);
    free(t);
}

static gnutls_session_t session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info ? info->tls_session : NULL;
}

void api_tls_begin(const struct api_tls *tls, struct MHD_Connection *connection)
{
    gnutls_session_t session = session_of(connection);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
    gnutls_certificate_server_set_request(session,
                                          tls->clients ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
}

const char *api_tls_peer(struct MHD_Connection *connection, struct sg_arena *arena)
{
    gnutls_session_t session = session_of(connection);
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
