/* Scans a message given as octets. */
#ifndef SG_TEST_TRIGGER_SCAN_H
#define SG_TEST_TRIGGER_SCAN_H

#include "common/buf.h"
#include "tnef/tnef.h"
#include "trigger/trigger.h"

struct sg_trigger_options test_options(void);
struct sg_tnef *test_tnef(void);
/* Splits header and body as the daemon does; found_r lives in the arena. */
void test_scan(struct sg_arena *arena, const void *message, size_t len,
               const struct sg_trigger_options *options, struct sg_trigger_found *found_r);
/* The same with a body that comes octet by octet. */
void test_scan_octets(struct sg_arena *arena, struct sg_bytes message,
                      const struct sg_trigger_options *options, struct sg_trigger_found *found_r);

#endif
