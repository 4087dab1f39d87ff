/*
 * A tar (ustar) compressed with zstd, written as it comes. Each member's size must be known before;
 * errors stay, and are reported by tar_close().
 */
#ifndef SG_LIFECYCLE_TAR_H
#define SG_LIFECYCLE_TAR_H

#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"

struct sg_tar;

/* To a new file, mode 0640, in place of one that stands there. */
SG_MUST_USE bool sg_tar_open(const char *path, struct sg_tar **tar_r, struct sg_error *err);
/* A member of size bytes follows, given by sg_tar_write() in pieces. */
void sg_tar_member(struct sg_tar *tar, const char *name, int64_t size, sg_time at);
void sg_tar_write(struct sg_tar *tar, struct sg_bytes data);
/* Fills the last block of a member. */
void sg_tar_member_end(struct sg_tar *tar);
/* On disk (fsync), with its size and SHA-256 in hexadecimal; frees it in any case. */
SG_MUST_USE bool sg_tar_close(struct sg_tar **tar, int64_t *size_r, char sha256_r[65],
                              struct sg_error *err);

#endif
