/* Reports that Postfix makes, and what anybody may make of one: whoever failed is named in them,
 * and no more is read than is there. The header comes first, up to an empty line. */
#include "notice/notice.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_spool_limits limits = {1 << 20, 1 << 20, "/tmp"};
    struct sg_header_limits most = {65536, 100};
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    struct sg_header_block block;
    struct sg_notice_report report;
    if (!sg_spool_write(spool, data, size, NULL) ||
        !sg_header_read(arena, spool, 0, size, &most, &block, NULL))
        return 0;
    size_t offset = (size_t)block.body_offset;
    sg_notice_report_read(arena, &block, sg_bytes_of(data + offset, size - offset), &report);
    for (size_t i = 0; i < report.failure_count; i++) {
        char status[12];
        const char *words = sg_notice_reason(report.failures[i].status, 550, status);
        if (!report.failures[i].recipient || !words || status[0] != '5')
            abort();
    }
    if (strchr(report.queue_id, '\n'))
        abort();
    for (size_t i = 0; i < report.field_count; i++)
        if (!*report.fields[i].name || strchr(report.fields[i].value, '\n'))
            abort();
    return 0;
}
