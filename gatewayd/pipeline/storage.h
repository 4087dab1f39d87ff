/* The certificate folder's storage, on the schema's aggregates. */
#ifndef SG_PIPELINE_STORAGE_H
#define SG_PIPELINE_STORAGE_H

#include "cert/cert.h"
#include "schema/db.h"

struct sg_cert_storage sg_cert_storage_of(struct sg_db *db);

#endif
