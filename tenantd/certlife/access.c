#include "certlife/access.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* libcurl opens it by its name; that others may read it is refused here, as sg_secret_read does. */
static bool private_file(const char *path, struct sg_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return sg_fail_errno(err, SG_E_CONFIG, "%s", path);
    return (st.st_mode & S_IRWXO) == 0 || sg_fail(err, SG_E_CONFIG, "others may read %s", path);
}

bool sg_access_open(const struct sg_certlife *life, const struct sg_authority_row *authority,
                    struct sg_access *access, struct sg_error *err)
{
    char path[SG_CREDENTIAL_PATH];
    *access = (struct sg_access){
        .http = {.ca_pem = authority->tls_ca_pem, .timeout_ms = life->timeout_ms}};
    if (strcmp(authority->authentication, "password") == 0) {
        access->http.account = authority->account;
        access->http.password = &access->password;
        return sg_credential_path(life->credentials_dir, authority->credential, ".est", path,
                                  err) &&
               sg_secret_read(&access->password, path, err);
    }
    if (strcmp(authority->authentication, "certificate") == 0) {
        access->http.certificate_file = access->certificate_file;
        access->http.key_file = access->key_file;
        return sg_credential_path(life->credentials_dir, authority->credential, ".pem",
                                  access->certificate_file, err) &&
               sg_credential_path(life->credentials_dir, authority->credential, ".key",
                                  access->key_file, err) &&
               private_file(access->key_file, err);
    }
    return true;
}
