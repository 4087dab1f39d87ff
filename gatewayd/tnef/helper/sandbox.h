/*
 * The sandbox of the helper: from then on the process can compute, read descriptor 0, write
 * descriptor 1 and end; whatever else it asks of the kernel kills it (SIGSYS).
 */
#ifndef SG_TNEFREADER_SANDBOX_H
#define SG_TNEFREADER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Bounds what the process may use. memory_bytes: its address space, all told. */
bool sg_sandbox_limits(size_t memory_bytes, unsigned cpu_seconds);
/* false: the kernel does not do it, and nothing foreign may be read here. */
bool sg_sandbox_enter(void);

#endif
