/* What went wrong with segments, counted: each time that it is logged. */
#include "journal/journal_internal.h"

#include "common/log.h"

/* As enum journal_fault. */
static const char *const kinds[] = {"damaged", "torn", "headless", "short",
                                    "write",   "sync", "not-read", NULL};

static struct sg_metric faults = {
    .name = "sealgate_gateway_journal_faults_total",
    .help = "Faults of the journal and of its disk, each time one was met, by the kind that the "
            "log gives it (journal.KIND).",
    .labels = {"kind"},
    .values = {kinds},
    .cells = SG_CELLS(JOURNAL_FAULTS),
    .cell_count = JOURNAL_FAULTS,
};

struct sg_metric *const sg_journal_metrics[] = {&faults, NULL};

void journal_fault(enum journal_fault kind)
{
    sg_metric_add(&faults, kind, 0, 1);
}

/* Doubt ends in sending: what had its outcome there, and was not answered for when the last run
 * ended, is still in Postfix's queue, and nobody knows any more that it was sent. */
void journal_fault_damaged(uint64_t number, uint64_t offset, uint64_t length, const char *what)
{
    journal_fault(JOURNAL_DAMAGED);
    sg_log(
        SG_LOG_ERROR, "journal.damaged", "segment", sg_log_num((int64_t)number), "offset",
        sg_log_num((int64_t)offset), "length", sg_log_num((int64_t)length), "what", what, "means",
        "not in the retention log; mail of which it had the outcome goes twice if Postfix has it",
        NULL);
}
