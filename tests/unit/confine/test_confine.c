/*
 * The daemons' filters of system calls, applied in processes of their own: what is refused, how,
 * and that it is told; what must go on working; threads that ran before.
 */
#include "common/log.h"
#include "common/thread.h"
#include "confine/confine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* As hsmd, apid, tenantd and gatewayd are. */
#define HSMD     0
#define APID     SG_CONFINE_NETWORK
#define TENANTD  (SG_CONFINE_NETWORK | SG_CONFINE_CLOCK)
#define GATEWAYD (SG_CONFINE_NETWORK | SG_CONFINE_CLOCK | SG_CONFINE_SPAWN)
static const unsigned daemons[] = {HSMD, APID, TENANTD, GATEWAYD};

static char log_text[16384];

/* In a process of its own, confined; what it says in its log is in log_text. Its wait status. */
static int confined(unsigned needs, int (*work)(unsigned needs))
{
    int out[2];
    size_t len = 0;
    ssize_t n;
    int status;
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sg_error err = {0};
        dup2(out[1], 2);
        sg_log_init("test", SG_LOG_INFO);
        _exit(sg_confine(needs, &err) ? work(needs) : 100);
    }
    close(out[1]);
    while ((n = read(out[0], log_text + len, sizeof log_text - 1 - len)) > 0)
        len += (size_t)n;
    log_text[len] = 0;
    close(out[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_well(int status)
{
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("status %x, signal %d: %s", status, WTERMSIG(status), log_text);
}

/* Does the call fail with that errno? */
#define REFUSED(error, call) (errno = 0, (call) == -1 && errno == (error))
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s (errno %d)\n", __LINE__, #condition, errno);              \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int forbidden_to_all(unsigned needs)
{
    struct iovec io = {&needs, sizeof needs};
    static int none[64];
    CHECK(REFUSED(ENOSYS, ptrace(PTRACE_TRACEME, 0, NULL, NULL)));
    CHECK(REFUSED(ENOSYS, process_vm_readv(getppid(), &io, 1, &io, 1, 0)));
    CHECK(REFUSED(ENOSYS, syscall(SYS_execveat, -1, "", none, none, 0)));
    CHECK(REFUSED(ENOSYS, syscall(SYS_bpf, 0, none, sizeof none)));
    CHECK(REFUSED(ENOSYS, syscall(SYS_perf_event_open, none, 0, -1, -1, 0)));
    CHECK(REFUSED(ENOSYS, syscall(SYS_userfaultfd, 0)));
    CHECK(REFUSED(ENOSYS, syscall(SYS_io_uring_setup, 1, none)));
    CHECK(REFUSED(ENOSYS, syscall(SYS_keyctl, 0, 0)));
    CHECK(REFUSED(ENOSYS, syscall(SYS_init_module, none, 0, "")));
    CHECK(REFUSED(ENOSYS, syscall(SYS_mount, "", "/", "", 0, "")));
    CHECK(REFUSED(ENOSYS, chroot("/")));
    CHECK(REFUSED(ENOSYS, setuid(getuid())));
    CHECK(REFUSED(ENOSYS, chown("/", getuid(), getgid())));
    CHECK(REFUSED(ENOSYS, unshare(CLONE_NEWUSER)));
    CHECK(REFUSED(ENOSYS, personality(0)));
    CHECK(REFUSED(ENOSYS, listen(-1, 1)));
    CHECK(REFUSED(EPERM, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)));
    CHECK(REFUSED(ENOSYS, syscall(SYS_clone3, none, 64)));
    CHECK(REFUSED(EPERM, prctl(PR_SET_DUMPABLE, 1)));
    CHECK(REFUSED(EPERM, prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY)));
    CHECK(REFUSED(EPERM, ioctl(0, TIOCSTI, "x")));
    CHECK(REFUSED(EAFNOSUPPORT, socket(AF_NETLINK, SOCK_RAW, 0)));
    CHECK(REFUSED(EAFNOSUPPORT, socket(AF_PACKET, SOCK_RAW, 0)));
    CHECK(REFUSED(EAFNOSUPPORT, socket(AF_ALG, SOCK_SEQPACKET, 0)));
    CHECK(REFUSED(EAFNOSUPPORT, socket(AF_VSOCK, SOCK_STREAM, 0)));
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    CHECK(mmap(NULL, page, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) == MAP_FAILED);
    void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, flags, -1, 0);
    CHECK(memory != MAP_FAILED);
    CHECK(REFUSED(EPERM, mprotect(memory, page, PROT_READ | PROT_EXEC)));
    CHECK(mprotect(memory, page, PROT_READ) == 0);
    return 0;
}

static int of_some(unsigned needs)
{
    char name[] = "true";
    char *argv[] = {name, NULL}, *environment[] = {NULL};
    struct timex clock = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (needs & SG_CONFINE_NETWORK)
        CHECK(fd >= 0 && socket(AF_INET6, SOCK_DGRAM, 0) >= 0);
    else
        CHECK(fd == -1 && errno == EAFNOSUPPORT && REFUSED(ENOSYS, bind(0, NULL, 0)));
    if (needs & SG_CONFINE_CLOCK)
        CHECK(adjtimex(&clock) >= 0);
    else
        CHECK(REFUSED(ENOSYS, adjtimex(&clock)));
    if (needs & SG_CONFINE_SPAWN) {
        pid_t child = -1;
        int status = -1;
        CHECK(posix_spawn(&child, "/bin/true", NULL, NULL, argv, environment) == 0);
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    } else {
        CHECK(REFUSED(ENOSYS, execve("/bin/true", argv, environment)));
        CHECK(REFUSED(EPERM, kill(getppid(), 0)));
        CHECK(REFUSED(EPERM, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
        CHECK(REFUSED(ENOSYS, syscall(SYS_vfork)));
    }
    return 0;
}

static void *thread(void *arg)
{
    return malloc(100000) ? arg : NULL;
}

static int goes_on(unsigned needs)
{
    char path[] = "/tmp/sg-confine-XXXXXX";
    pthread_t id;
    void *result = NULL;
    int pair[2];
    CHECK(sg_thread_start(&id, thread, &needs) && pthread_join(id, &result) == 0);
    CHECK(result == &needs);
    int fd = mkstemp(path);
    CHECK(fd >= 0 && unlink(path) == 0 && write(fd, path, 4) == 4 && fdatasync(fd) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && write(pair[0], path, 4) == 4);
    CHECK(poll(&(struct pollfd){.fd = pair[1], .events = POLLIN}, 1, 1000) == 1);
    CHECK(socket(AF_UNIX, SOCK_DGRAM, 0) >= 0);
    char *large = malloc(64 << 20);
    CHECK(large);
    large[1 << 20] = 1;
    free(large);
    CHECK(kill(getpid(), 0) == 0);
    CHECK(prctl(PR_SET_NAME, "x") == 0 && prctl(PR_SET_DUMPABLE, 0) == 0);
    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == -1); /* is not among what may be asked */
    return 0;
}

static void test_forbidden_to_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof daemons / sizeof *daemons; i++)
        assert_well(confined(daemons[i], forbidden_to_all));
}

static void test_of_some(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof daemons / sizeof *daemons; i++)
        assert_well(confined(daemons[i], of_some));
}

static void test_goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof daemons / sizeof *daemons; i++)
        assert_well(confined(daemons[i], goes_on));
}

/* Told once for many within a second, and counted. The log is a pipe that is read here. */
static int tries_much(unsigned needs)
{
    int out[2];
    char line[4096] = "";
    size_t len = 0;
    (void)needs;
    CHECK(pipe(out) == 0 && dup2(out[1], 2) == 2);
    for (int i = 0; i < 1000; i++)
        if (!REFUSED(ENOSYS, ptrace(PTRACE_TRACEME, 0, NULL, NULL)))
            return 2;
    if (sg_metric_get(sg_confine_metrics[0], 0, 0) != 1000)
        return 3;
    while (len < sizeof line - 1 && !strchr(line, '\n')) {
        ssize_t n = read(out[0], line + len, sizeof line - 1 - len);
        if (n <= 0)
            return 4;
        len += (size_t)n;
    }
    if (!strstr(line, "\"process.call-refused\"") || !strstr(line, "\"call\":\"ptrace\""))
        return 5;
    return ioctl(out[0], FIONREAD, &out[1]) == 0 && out[1] == 0 ? 0 : 6;
}

static void test_told(void **state)
{
    (void)state;
    assert_well(confined(HSMD, tries_much));
}

static _Atomic int go, result_before;

static void *waits(void *arg)
{
    (void)arg;
    while (!go)
        poll(NULL, 0, 5);
    result_before = REFUSED(ENOSYS, ptrace(PTRACE_TRACEME, 0, NULL, NULL)) ? 1 : -1;
    return NULL;
}

static void test_threads_that_ran_before(void **state)
{
    struct sg_error err = {0};
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        pthread_t id;
        if (!sg_thread_start(&id, waits, NULL) || !sg_confine(HSMD, &err))
            _exit(2);
        go = 1;
        pthread_join(id, NULL);
        _exit(result_before == 1 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Of another architecture, whose numbers mean other calls. */
static int calls_as_i386(unsigned needs)
{
    (void)needs;
#ifdef __x86_64__
    long result = 20; /* getpid */
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
#endif
    return 0;
}

static void test_other_architecture(void **state)
{
    (void)state;
#ifdef __x86_64__
    int status = confined(GATEWAYD, calls_as_i386);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#else
    skip();
#endif
}

/* Signals that somebody sends are the main thread's; those of a thread's own doing are its own. */
static void *mask(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
    return NULL;
}

static void test_thread_signals(void **state)
{
    sigset_t blocked, before, after;
    pthread_t id;
    (void)state;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_true(sg_thread_start(&id, mask, &blocked));
    pthread_join(id, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_true(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGHUP));
    assert_false(sigismember(&blocked, SIGSYS) || sigismember(&blocked, SIGSEGV));
    for (int signal = 1; signal < SIGRTMAX; signal++)
        assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
}

/* Where the kernel, or a container, allows no filter, the daemon must say so and not go on as if.
 */
static void test_not_to_be_had(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct sg_error err = {0};
        /* A first filter that lacks seccomp() stands for such a kernel. */
        _exit(sg_confine(HSMD, &err) && !sg_confine(HSMD, &err) && err.code == SG_E_IO &&
                      strstr(err.detail, "confine = no")
                  ? 0
                  : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forbidden_to_all),
        cmocka_unit_test(test_of_some),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_threads_that_ran_before),
        cmocka_unit_test(test_other_architecture),
        cmocka_unit_test(test_thread_signals),
        cmocka_unit_test(test_not_to_be_had),
    };
    if (!sg_confine_possible()) {
        print_message("a sanitizer's build is not confined\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
