/*
 * Logs: one JSON line an event on stderr: ts, level, daemon, event and fields. No secret, no
 * message content, and no mail address above level debug. Where stderr is systemd's journal each
 * line has its priority in front, which does not stay in it.
 */
#ifndef SG_COMMON_LOG_H
#define SG_COMMON_LOG_H

#include "common/error.h"

#include <stdint.h>

enum sg_log_level { SG_LOG_DEBUG, SG_LOG_INFO, SG_LOG_WARNING, SG_LOG_ERROR };

void sg_log_init(const char *daemon, enum sg_log_level level);
void sg_log_level_set(enum sg_log_level level);
bool sg_log_level_parse(const char *name, enum sg_log_level *level_r);

/*
 * event is a fixed word ("journal.replayed"). Then pairs of key and string value, ended by NULL;
 * a NULL value leaves its pair out, one above 1 KiB is cut:
 *     sg_log(SG_LOG_INFO, "hold.released", "msg_id", id, "tenant", tenant, NULL);
 */
void sg_log(enum sg_log_level level, const char *event, ...) __attribute__((sentinel));
/* The same with the error's name and detail as fields "error", "detail" and the library's code. */
void sg_log_error(enum sg_log_level level, const char *event, const struct sg_error *err, ...)
    __attribute__((sentinel));

/* Numbers for the pairs: a text in a thread's ring of 16, good until 16 more were asked for. */
const char *sg_log_num(int64_t n);

#endif
