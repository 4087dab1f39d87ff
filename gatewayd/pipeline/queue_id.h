/* Postfix's long queue ids (enable_long_queue_ids), which say when a message was taken in. */
#ifndef SG_PIPELINE_QUEUE_ID_H
#define SG_PIPELINE_QUEUE_ID_H

#include "common/clock.h"

#include <stdbool.h>

/*
 * "4dVHb86zdqz1q": seconds since 1970 (base 52, six digits or more), microseconds (four digits),
 * 'z', the inode. false: it is none.
 */
bool sg_queue_id_time(const char *queue_id, sg_time *time_r);

#endif
