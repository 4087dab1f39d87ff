/* Looking through octets, many at a time where the processor can. */
#ifndef SG_COMMON_SCAN_H
#define SG_COMMON_SCAN_H

#include <stdint.h>

/* The first CR or LF in [at, end), or end. */
const uint8_t *sg_scan_line_break(const uint8_t *at, const uint8_t *end);

#endif
