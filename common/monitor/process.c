#include "monitor/monitor_internal.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const versions[] = {SG_VERSION, NULL};

static struct sg_metric build = {.name = "sealgate_build_info",
                                 .help = "The version that runs.",
                                 .type = SG_GAUGE,
                                 .labels = {"version"},
                                 .values = {versions},
                                 .cells = SG_CELLS(1),
                                 .cell_count = 1};
static struct sg_metric started = {.name = "process_start_time_seconds",
                                   .help = "When the process was started, since 1970.",
                                   .type = SG_GAUGE,
                                   .unit = 1000000,
                                   .cells = SG_CELLS(1),
                                   .cell_count = 1};
static struct sg_metric cpu = {.name = "process_cpu_seconds_total",
                               .help = "Processor time, user and system.",
                               .unit = 1000000,
                               .cells = SG_CELLS(1),
                               .cell_count = 1};
static struct sg_metric memory = {.name = "process_resident_memory_bytes",
                                  .help = "Resident memory.",
                                  .type = SG_GAUGE,
                                  .cells = SG_CELLS(1),
                                  .cell_count = 1};
static struct sg_metric heap = {.name = "sealgate_heap_bytes",
                                .help = "Memory that is allocated and not given back.",
                                .type = SG_GAUGE,
                                .cells = SG_CELLS(1),
                                .cell_count = 1};
static struct sg_metric descriptors = {.name = "process_open_fds",
                                       .help = "Open file descriptors.",
                                       .type = SG_GAUGE,
                                       .cells = SG_CELLS(1),
                                       .cell_count = 1};
static struct sg_metric descriptors_max = {.name = "process_max_fds",
                                           .help = "How many may be open.",
                                           .type = SG_GAUGE,
                                           .cells = SG_CELLS(1),
                                           .cell_count = 1};

struct sg_metric *const sg_process_metrics[] = {
    &build, &started, &cpu, &memory, &heap, &descriptors, &descriptors_max, NULL};

static int64_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t n = -3; /* ".", ".." and the directory itself */
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n > 0 ? n : 0;
}

static int64_t resident_bytes(void)
{
    long long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%lld %lld", &size, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static int64_t heap_bytes(void)
{
    struct mallinfo2 all = mallinfo2();
    return (int64_t)(all.uordblks + all.hblkhd);
}

static int64_t micro(struct timeval tv)
{
    return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

void sg_process_collect(void)
{
    struct rusage usage;
    struct rlimit limit;
    struct timespec now;
    sg_metric_set(&build, 0, 0, 1);
    if (sg_metric_get(&started, 0, 0) == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0)
        sg_metric_set(&started, 0, 0, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        sg_metric_set(&cpu, 0, 0, micro(usage.ru_utime) + micro(usage.ru_stime));
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        sg_metric_set(&descriptors_max, 0, 0, (int64_t)limit.rlim_cur);
    sg_metric_set(&memory, 0, 0, resident_bytes());
    sg_metric_set(&heap, 0, 0, heap_bytes());
    sg_metric_set(&descriptors, 0, 0, open_descriptors());
}
