/*
 * Keys of the journal and the archive: the journal's data keys through hsmd; the archive's data key
 * of a tenant and day, made here, wrapped to the quarter's public key and stored in PostgreSQL.
 */
#ifndef SG_PIPELINE_ARCHIVE_H
#define SG_PIPELINE_ARCHIVE_H

#include "pipeline/gateway.h"

struct sg_archive;

struct sg_archive *sg_archive_new(struct sg_gateway *gw);
void sg_archive_free(struct sg_archive **archive);
struct sg_journal_keys sg_archive_journal_keys(struct sg_archive *archive);

#endif
