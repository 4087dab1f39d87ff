/* Storage for the certificate library in plain files, so that it can be tested without PostgreSQL.
 */
#ifndef SG_TEST_CERT_FILES_H
#define SG_TEST_CERT_FILES_H

#include "cert/cert.h"

/*
 * In folder: anchors/ (DER files), directories (lines "url base_dn ca_file anchor_file filter
 * attribute bind_dn credential", - for none), the credentials themselves,
 * partners/DOMAIN/ and crls/ (written by the library), choice-DOMAIN_ID and bypass-SHA256 (see
 * files.c). A file "away" makes every callback fail.
 */
struct sg_cert_storage files_storage(const char *folder);
size_t files_anchors_read(void); /* so often they were asked for */
/* A whole file; false when it cannot be read. */
bool files_read(struct sg_arena *arena, const char *path, struct sg_bytes *data_r);
/* Every file of a folder, by name; those that cannot be read are left out. */
void files_read_folder(struct sg_arena *arena, const char *path, struct sg_cert_der_list *list_r);

#endif
