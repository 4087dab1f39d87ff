/*
 * TNEF through real helper processes (REQ-33): what is read; what a helper can and cannot do that
 * its message has taken over; that it costs that message and nothing else.
 */
#include "tnef/tnef.h"
#include "tnefreader/protocol.h"
#include "vectors.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct sg_tnef_options options_of(const char *helper)
{
    return (struct sg_tnef_options){
        .helper = helper,
        .processes = 2,
        .request_bytes = 4 << 20,
        .answer_bytes = 8 << 20,
        .memory_bytes = 32 << 20,
        .cpu_ms = 5000,
        .timeout_ms = 20000,
        .max_parts = 2000,
        .max_depth = 8,
    };
}

static size_t entries(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* No process and no descriptor is left, whatever a test did. */
static void nothing_is_left(size_t descriptors)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(entries("/proc/self/fd"), descriptors);
}

static const char *kinds[] = {"SUBJECT", "TEXT", "HTML", "RTF", "ATTACHMENT"};

static void show(struct sg_buf *out, const struct sg_tnef_content *content)
{
    for (size_t i = 0; i < content->count; i++) {
        const struct sg_tnef_part *p = &content->parts[i];
        sg_buf_addf(out, "%s %u %s <", kinds[p->kind], p->depth, p->charset ? p->charset : "-");
        vector_show(out, sg_bytes_str(p->name));
        sg_buf_addf(out, "> <%s> ", p->type);
        vector_show(out, p->bytes);
        sg_buf_adds(out, "\n");
    }
    if (content->damage)
        sg_buf_addf(out, "damage: %s\n", content->damage);
}

static void every_vector_is_read_as_it_was_made(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    size_t descriptors = entries("/proc/self/fd");
    struct sg_tnef_options options = options_of(SG_TNEF_HELPER);
    struct sg_tnef *tnef = sg_tnef_new(&options);
    for (const char *const *v = vector_names(arena); *v; v++) {
        struct sg_bytes expected = vector_read(arena, *v, "parts");
        struct sg_tnef_content content;
        struct sg_error err = {0};
        SG_AUTO_BUF got = {0};
        if (sg_tnef_read(tnef, vector_read(arena, *v, "tnef"), true, arena, &content, &err)) {
            show(&got, &content);
        } else {
            assert_int_equal(err.code, SG_E_MALFORMED);
            assert_int_equal(content.count, 0);
            sg_buf_adds(&got, "malformed\n");
        }
        sg_buf_adds(&got, "");
        if (!sg_bytes_equal(sg_buf_bytes(&got), expected))
            print_error("%s:\n%.*s", *v, (int)got.len, (const char *)got.data);
        assert_true(sg_bytes_equal(sg_buf_bytes(&got), expected));
    }
    sg_tnef_free(&tnef);
    assert_null(tnef);
    nothing_is_left(descriptors);
}

static void expect(struct sg_tnef *tnef, struct sg_bytes stream, enum sg_error_code code,
                   const char *detail)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_tnef_content content;
    struct sg_error err = {0};
    assert_false(sg_tnef_read(tnef, stream, true, arena, &content, &err));
    if (err.code != code || !strstr(err.detail, detail))
        print_error("%s instead of %s\n", err.detail, detail);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.detail, detail));
    assert_int_equal(content.count, 0);
    assert_null(content.parts);
}

static void a_helper_that_is_taken_over_can_do_nothing(void **state)
{
    (void)state;
    static const char *const ways[] = {"open",    "socket",    "unix socket", "exec",   "fork",
                                       "mmap",    "brk",       "kill",        "ptrace", "read 3",
                                       "write 2", "nanosleep", "asynchronous"};
    size_t descriptors = entries("/proc/self/fd");
    struct sg_tnef_options options = options_of(SG_TNEF_HOSTILE);
    struct sg_tnef *tnef = sg_tnef_new(&options);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        expect(tnef, sg_bytes_str(ways[i]), SG_E_MALFORMED, "what its sandbox forbids");
    sg_tnef_free(&tnef);
    nothing_is_left(descriptors);
}

static void whatever_a_helper_does_is_a_clear_error(void **state)
{
    (void)state;
    static const struct {
        const char *how;
        enum sg_error_code code;
        const char *detail;
    } rows[] = {
        {"! crash", SG_E_MALFORMED, "died of signal 11"},
        {"X exit", SG_E_MALFORMED, "ended without an answer (status 0)"},
        {"H half an answer", SG_E_MALFORMED, "ended without an answer"},
        {"G garbage", SG_E_MALFORMED, "not understood"},
        {"K no such kind", SG_E_MALFORMED, "not understood"},
        {"D no such depth", SG_E_MALFORMED, "not understood"},
        {"N data of no part", SG_E_MALFORMED, "not understood"},
        {"M no such damage", SG_E_MALFORMED, "not understood"},
        {"B bytes without end", SG_E_LIMIT, "has more than 100000 bytes in it"},
        {"P parts without end", SG_E_LIMIT, "has more than 100000 bytes in it"},
        {"E names without end", SG_E_LIMIT, "has more than 100000 bytes in it"},
        {"A damages without end", SG_E_LIMIT, "has more than 100000 bytes in it"},
        {"O empty data without end", SG_E_LIMIT, "has more than 100000 bytes in it"},
    };
    size_t descriptors = entries("/proc/self/fd");
    struct sg_tnef_options options = options_of(SG_TNEF_HOSTILE);
    options.answer_bytes = 100000;
    struct sg_tnef *tnef = sg_tnef_new(&options);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(tnef, sg_bytes_str(rows[i].how), rows[i].code, rows[i].detail);
    sg_tnef_free(&tnef);
    nothing_is_left(descriptors);
}

static void time_has_an_end(void **state)
{
    (void)state;
    size_t descriptors = entries("/proc/self/fd");
    struct sg_tnef_options options = options_of(SG_TNEF_HOSTILE);
    options.cpu_ms = 300;
    struct sg_tnef *tnef = sg_tnef_new(&options);
    expect(tnef, sg_bytes_str("Loop"), SG_E_LIMIT, "more than 300 ms of CPU time");
    sg_tnef_free(&tnef);

    options.timeout_ms = 300;
    options.cpu_ms = 60000;
    tnef = sg_tnef_new(&options);
    int64_t began = sg_metric_now();
    expect(tnef, sg_bytes_str("Loop"), SG_E_TIMEOUT, "");
    expect(tnef, sg_bytes_str("Zzz"), SG_E_TIMEOUT, "");
    assert_true(sg_metric_now() - began < 10 * 1000000);
    sg_tnef_free(&tnef);

    options.helper = "/bin/sleep"; /* never says that it is ready */
    tnef = sg_tnef_new(&options);
    expect(tnef, sg_bytes_str("x"), SG_E_TIMEOUT, "");
    sg_tnef_free(&tnef);
    nothing_is_left(descriptors);
}

static void a_helper_that_cannot_be_started_reads_nothing(void **state)
{
    (void)state;
    size_t descriptors = entries("/proc/self/fd");
    struct sg_error err = {0};
    struct sg_tnef_options options = options_of("/nonexistent/sealgate-tnef");
    struct sg_tnef *tnef = sg_tnef_new(&options);
    assert_false(sg_tnef_probe(tnef, &err));
    assert_int_equal(err.code, SG_E_IO);
    expect(tnef, sg_bytes_str("x"), SG_E_IO, "/nonexistent/sealgate-tnef cannot be started");
    sg_tnef_free(&tnef);

    options.helper = "/bin/true";
    tnef = sg_tnef_new(&options);
    expect(tnef, sg_bytes_str("x"), SG_E_MALFORMED, "ended without an answer");
    sg_tnef_free(&tnef);

    options.helper = "/usr/bin/yes";
    tnef = sg_tnef_new(&options);
    expect(tnef, sg_bytes_str("x"), SG_E_MALFORMED, "not understood");
    sg_tnef_free(&tnef);

    options = options_of(SG_TNEF_HELPER);
    options.request_bytes = options.memory_bytes;
    tnef = sg_tnef_new(&options);
    assert_false(sg_tnef_probe(tnef, &err));
    expect(tnef, sg_bytes_str("x"), SG_E_IO, "cannot have the memory");
    sg_tnef_free(&tnef);
    nothing_is_left(descriptors);
}

/* As in a container that allows no seccomp: then nothing foreign reaches the helper. */
static int without_seccomp(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    struct sg_tnef_options options = options_of(SG_TNEF_HELPER);
    struct sg_tnef *tnef = sg_tnef_new(&options);
    struct sg_error err = {0};
    if (!sg_tnef_probe(tnef, &err) || !filter ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(seccomp), 0) != 0 ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
                         SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0)) != 0 ||
        seccomp_load(filter) != 0)
        return 2;
    bool refused = !sg_tnef_probe(tnef, &err) && err.code == SG_E_IO &&
                   strstr(err.detail, "cannot enter its sandbox");
    sg_tnef_free(&tnef);
    seccomp_release(filter);
    return refused ? 0 : 1;
}

static void without_its_sandbox_no_helper_reads(void **state)
{
    (void)state;
    int status = -1;
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0)
        _exit(without_seccomp());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static struct sg_tnef_content read_well(struct sg_tnef *tnef, struct sg_arena *arena,
                                        struct sg_bytes stream)
{
    struct sg_tnef_content content = {0};
    struct sg_error err = {0};
    bool ok = sg_tnef_read(tnef, stream, true, arena, &content, &err);
    if (!ok)
        print_error("%s\n", err.detail);
    assert_true(ok);
    return content;
}

static void limits_hold_at_their_edge(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    size_t descriptors = entries("/proc/self/fd");
    struct sg_bytes stream = vector_read(arena, "plain", "tnef");
    struct sg_bytes deep = vector_read(arena, "nested", "tnef");
    struct sg_tnef_options options = options_of(SG_TNEF_HELPER);

    for (int more = 0; more < 2; more++) {
        options.request_bytes = stream.len - 1 + (size_t)more;
        struct sg_tnef *tnef = sg_tnef_new(&options);
        if (more)
            read_well(tnef, arena, stream);
        else
            expect(tnef, stream, SG_E_LIMIT, "larger than");
        sg_tnef_free(&tnef);
    }
    options = options_of(SG_TNEF_HELPER);
    for (int more = 0; more < 2; more++) {
        /* Two parts of two frames each, and the end. */
        options.answer_bytes = 2 * sizeof(struct sg_tnef_part) + 5 * sizeof(struct sg_tnef_frame) +
                               strlen("The subject") + strlen("The body: [SECRET]") - 1 +
                               (size_t)more;
        struct sg_tnef *tnef = sg_tnef_new(&options);
        if (more)
            assert_int_equal(read_well(tnef, arena, stream).count, 2);
        else
            expect(tnef, stream, SG_E_LIMIT, "has more than");
        sg_tnef_free(&tnef);
    }
    /* What gatewayd.conf asks for at least: the stream and 16m. */
    uint8_t *large = sg_arena_alloc(arena, 8 << 20);
    memcpy(large, stream.data, stream.len);
    options = options_of(SG_TNEF_HELPER);
    options.request_bytes = 8 << 20;
    options.memory_bytes = options.request_bytes + (16 << 20);
    struct sg_tnef *full = sg_tnef_new(&options);
    assert_int_equal(read_well(full, arena, sg_bytes_of(large, 8 << 20)).count, 2);
    sg_tnef_free(&full);

    options = options_of(SG_TNEF_HELPER);
    for (unsigned depth = 7; depth <= 8; depth++) {
        options.max_depth = depth;
        struct sg_tnef *tnef = sg_tnef_new(&options);
        if (depth == 8)
            assert_null(read_well(tnef, arena, deep).damage);
        else
            expect(tnef, deep, SG_E_MALFORMED, "nested too deeply");
        sg_tnef_free(&tnef);
    }
    nothing_is_left(descriptors);
}

static void attribute_add(struct sg_buf *stream, uint8_t level, uint32_t id, struct sg_bytes data)
{
    uint32_t head[] = {id, (uint32_t)data.len};
    uint16_t sum = 0;
    for (size_t i = 0; i < data.len; i++)
        sum = (uint16_t)(sum + data.data[i]);
    sg_buf_add(stream, &level, 1);
    sg_buf_add(stream, head, sizeof head);
    sg_buf_add(stream, data.data, data.len);
    sg_buf_add(stream, &sum, sizeof sum);
}

/* Empty files, all under one name of so many octets, each of them two in UTF-8. */
static void files_of_one_name(struct sg_buf *stream, size_t files, size_t name_len)
{
    static const uint8_t rendering[14];
    const uint32_t codepage[] = {1252, 0};
    SG_AUTO_BUF name = {0};
    for (size_t i = 0; i < name_len; i++)
        sg_buf_add(&name, "\xe9", 1);
    sg_buf_add(&name, "", 1);
    sg_buf_add(stream, "\x78\x9f\x3e\x22\x01\x00", 6);
    attribute_add(stream, 1, 0x9007, sg_bytes_of((const uint8_t *)codepage, sizeof codepage));
    attribute_add(stream, 2, 0x9002, sg_bytes_of(rendering, sizeof rendering));
    attribute_add(stream, 2, 0x8010, sg_buf_bytes(&name));
    for (size_t i = 0; i < files; i++)
        attribute_add(stream, 2, 0x800f, sg_bytes_of(rendering, 0));
}

/* Twelve octets of a stream are a file whose name is said again: what is made of the names counts,
 * and not alone what was said. */
static void names_count_as_they_are_kept(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF stream = {0}, more = {0}, longer = {0};
    struct sg_tnef_options options = options_of(SG_TNEF_HELPER);
    options.answer_bytes = 1 << 20;
    struct sg_tnef *tnef = sg_tnef_new(&options);
    files_of_one_name(&stream, 220, 1024);
    struct sg_tnef_content content = read_well(tnef, arena, sg_buf_bytes(&stream));
    assert_int_equal(content.count, 220);
    assert_null(content.damage);
    assert_int_equal(strlen(content.parts[0].name), 2048);

    files_of_one_name(&more, 400, 1024);
    expect(tnef, sg_buf_bytes(&more), SG_E_LIMIT, "has more than 1048576 bytes in it");

    files_of_one_name(&longer, 150, 4095);
    content = read_well(tnef, arena, sg_buf_bytes(&longer));
    size_t bytes = 0;
    for (size_t i = 0; i < content.count; i++)
        bytes += strlen(content.parts[i].name);
    assert_true(bytes <= options.answer_bytes);
    assert_string_equal(content.damage, "the name of a file is longer than is read");
    sg_tnef_free(&tnef);
}

/* What is within the limit is read, and it is said that there is more. */
static void parts_have_an_end(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF stream = {0};
    struct sg_tnef_options options = options_of(SG_TNEF_HELPER);
    files_of_one_name(&stream, 30, 1);
    for (size_t most = 29; most <= 30; most++) {
        options.max_parts = most;
        struct sg_tnef *tnef = sg_tnef_new(&options);
        struct sg_tnef_content content = read_well(tnef, arena, sg_buf_bytes(&stream));
        assert_int_equal(content.count, most);
        assert_int_equal(content.damage != NULL, most == 29);
        sg_tnef_free(&tnef);
    }
}

static size_t kill_helpers(int signal_number)
{
    char line[4096] = "", *rest = line;
    size_t killed = 0;
    FILE *f = fopen("/proc/thread-self/children", "r");
    assert_non_null(f);
    if (!fgets(line, sizeof line, f))
        line[0] = '\0';
    fclose(f);
    for (long pid; (pid = strtol(rest, &rest, 10)) > 0; killed++)
        assert_int_equal(kill((pid_t)pid, signal_number), 0);
    return killed;
}

static void a_helper_that_somebody_kills_costs_nothing(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    size_t descriptors = entries("/proc/self/fd");
    struct sg_bytes stream = vector_read(arena, "rtf", "tnef");
    struct sg_tnef_options options = options_of(SG_TNEF_HELPER);
    struct sg_tnef *tnef = sg_tnef_new(&options);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(read_well(tnef, arena, stream).count, 2);
        assert_int_equal(kill_helpers(SIGKILL), 1);
    }
    read_well(tnef, arena, stream);
    sg_tnef_free(&tnef);
    nothing_is_left(descriptors);
}

/* A service manager sends SIGTERM to the daemon and its helpers alike, while messages are in
 * flight. */
static void a_helper_does_not_end_before_its_daemon(void **state)
{
    (void)state;
    static const int asking[] = {SIGTERM, SIGINT, SIGHUP};
    struct sg_tnef_options options = options_of(SG_TNEF_HOSTILE);
    struct sg_tnef *tnef = sg_tnef_new(&options);
    expect(tnef, sg_bytes_str("open"), SG_E_MALFORMED, "sandbox forbids");
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++)
        assert_int_equal(kill_helpers(asking[i]), 1);
    /* Had it died of one of these, that would be said. */
    expect(tnef, sg_bytes_str("X exit"), SG_E_MALFORMED, "ended without an answer (status 0)");
    sg_tnef_free(&tnef);
}

static void attachments_come_where_they_are_asked_for(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_bytes stream = vector_read(arena, "message-in-message", "tnef");
    struct sg_tnef_options options = options_of(SG_TNEF_HELPER);
    struct sg_tnef *tnef = sg_tnef_new(&options);
    struct sg_tnef_content content;
    assert_true(sg_tnef_read(tnef, stream, true, arena, &content, NULL));
    assert_int_equal(content.count, 5);
    assert_true(sg_tnef_read(tnef, stream, false, arena, &content, NULL));
    assert_int_equal(content.count, 3);
    assert_int_equal(content.parts[2].kind, SG_TNEF_RTF);
    assert_int_equal(content.parts[2].depth, 1);
    sg_tnef_free(&tnef);
}

struct crowd {
    struct sg_tnef *tnef;
    struct sg_bytes stream;
    atomic_int read, failed;
};

static void *one_of_many(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < 10; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_tnef_content content;
        struct sg_error err = {0};
        if (sg_tnef_read(crowd->tnef, crowd->stream, true, arena, &content, &err) &&
            content.count == 2)
            atomic_fetch_add(&crowd->read, 1);
        else
            atomic_fetch_add(&crowd->failed, 1);
    }
    return NULL;
}

static void many_threads_share_few_processes(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    size_t descriptors = entries("/proc/self/fd");
    struct sg_tnef_options options = options_of(SG_TNEF_HELPER);
    pthread_t threads[8];
    struct crowd crowd = {.tnef = sg_tnef_new(&options),
                          .stream = vector_read(arena, "plain", "tnef")};
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_many, &crowd), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd.failed), 0);
    assert_int_equal(atomic_load(&crowd.read), 80);
    sg_tnef_free(&crowd.tnef);
    nothing_is_left(descriptors);
}

static void *keeps_a_process(void *arg)
{
    expect(arg, sg_bytes_str("Zzz"), SG_E_TIMEOUT, "");
    return NULL;
}

static void whoever_finds_no_process_free_waits_his_time(void **state)
{
    (void)state;
    size_t descriptors = entries("/proc/self/fd");
    struct sg_tnef_options options = options_of(SG_TNEF_HOSTILE);
    pthread_t threads[3];
    options.processes = 1;
    options.timeout_ms = 500;
    struct sg_tnef *tnef = sg_tnef_new(&options);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keeps_a_process, tnef), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    expect(tnef, sg_bytes_str("open"), SG_E_MALFORMED, "sandbox forbids");
    sg_tnef_free(&tnef);
    nothing_is_left(descriptors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_is_read_as_it_was_made),
        cmocka_unit_test(a_helper_that_is_taken_over_can_do_nothing),
        cmocka_unit_test(whatever_a_helper_does_is_a_clear_error),
        cmocka_unit_test(time_has_an_end),
        cmocka_unit_test(a_helper_that_cannot_be_started_reads_nothing),
        cmocka_unit_test(without_its_sandbox_no_helper_reads),
        cmocka_unit_test(limits_hold_at_their_edge),
        cmocka_unit_test(names_count_as_they_are_kept),
        cmocka_unit_test(parts_have_an_end),
        cmocka_unit_test(a_helper_that_somebody_kills_costs_nothing),
        cmocka_unit_test(a_helper_does_not_end_before_its_daemon),
        cmocka_unit_test(attachments_come_where_they_are_asked_for),
        cmocka_unit_test(many_threads_share_few_processes),
        cmocka_unit_test(whoever_finds_no_process_free_waits_his_time),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
