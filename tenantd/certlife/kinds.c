#include "certlife/kinds.h"

const struct sg_job_kind sg_certlife_kinds[] = {
    {"key.generate", sg_key_generate_job, sg_key_generate_give_up},
    {"key.csr", sg_key_csr_job, NULL},
    {"key.destroy", sg_key_destroy_job, NULL},
    {"certificate.install", sg_certificate_install_job, NULL},
    {"certificate.ensure", sg_certificate_ensure_job, NULL},
    {"certificate.order", sg_certificate_order_job, sg_certificate_order_give_up},
    {"certificate.publication", sg_certificate_publication_job, NULL},
    {"certificate.revoke", sg_certificate_revoke_job, NULL},
    {"certificate.compromise", sg_certificate_compromise_job, NULL},
    {"certificate.sweep", sg_certificate_sweep_job, NULL},
    {"archive.key", sg_archive_key_job, NULL},
    {"archive.dispose", sg_archive_dispose_job, NULL},
    {NULL, NULL, NULL},
};
