#include "certlife/kinds.h"

const struct sg_job_kind sg_certlife_kinds[] = {
    {"key.generate", sg_key_generate_job, sg_key_generate_give_up},
    {"key.csr", sg_key_csr_job, NULL},
    {"certificate.install", sg_certificate_install_job, NULL},
    {"archive.key", sg_archive_key_job, NULL},
    {NULL, NULL, NULL},
};
