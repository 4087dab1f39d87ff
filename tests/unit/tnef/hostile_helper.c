/*
 * A helper whose reader has been taken over: it enters the sandbox of the real one and then does
 * what the first byte of its request says. For test_tnef.c.
 */
#include "tnefreader/protocol.h"
#include "tnefreader/sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void say(uint8_t type, uint8_t kind, uint32_t len)
{
    struct sg_tnef_frame frame = {.type = type, .kind = kind, .len = len};
    if (write(1, &frame, sizeof frame) != sizeof frame)
        _exit(1);
}

static void say_deep(void)
{
    struct sg_tnef_frame frame = {.type = SG_TNEF_BEGIN, .depth = 9999};
    if (write(1, &frame, sizeof frame) != sizeof frame)
        _exit(1);
}

static void loop(void)
{
    for (volatile uint64_t n = 0;; n++)
        ;
}

static void without_end(void)
{
    static uint8_t zeros[65536];
    say(SG_TNEF_BEGIN, 0, 0);
    for (;;) {
        say(SG_TNEF_DATA, 0, sizeof zeros);
        if (write(1, zeros, sizeof zeros) < 0)
            _exit(1);
    }
}

static void frames_without_end(uint8_t type, uint8_t kind)
{
    say(SG_TNEF_BEGIN, 4, 0); /* of an attachment, which has names */
    for (;;)
        say(type, kind, 0);
}

/* Every system call that would get it out. */
static void escape(char how)
{
    char program[] = "/bin/true", *argv[] = {program, NULL};
    char byte;
    switch (how) {
    case 'o':
        (void)!open("/etc/passwd", O_RDONLY);
        break;
    case 's':
        (void)!socket(AF_INET, SOCK_STREAM, 0);
        break;
    case 'u':
        (void)!socket(AF_UNIX, SOCK_STREAM, 0);
        break;
    case 'e':
        execv(program, argv);
        break;
    case 'f':
        (void)!fork();
        break;
    case 'm':
        (void)!mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        break;
    case 'b':
        (void)!sbrk(1 << 20);
        break;
    case 'k':
        kill(getppid(), SIGTERM);
        break;
    case 'p':
        ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
        break;
    case 'r':
        (void)!read(3, &byte, 1);
        break;
    case 'w':
        (void)!write(2, "x", 1);
        break;
    case 'n':
        syscall(SYS_nanosleep, &(struct timespec){1, 0}, NULL);
        break;
    case 'a':
        syscall(SYS_io_uring_setup, 1, NULL);
        break;
    default:
        break;
    }
}

static void misbehave(char how)
{
    uint8_t *nowhere = NULL;
    switch (how) {
    case '!': /* crashes */
        *(volatile uint8_t *)nowhere = 1;
        break;
    case 'L':
        loop();
        break;
    case 'Z': /* waits for more than it gets */
        while (read(0, &how, 1) > 0)
            ;
        break;
    case 'X':
        _exit(0);
        break;
    case 'G':
        say(99, 0, 0);
        break;
    case 'K':
        say(SG_TNEF_BEGIN, 99, 0);
        break;
    case 'D':
        say_deep();
        break;
    case 'N':
        say(SG_TNEF_DATA, 0, 1);
        break;
    case 'M':
        say(SG_TNEF_DAMAGE, 99, 0);
        break;
    case 'H': /* half an answer */
        say(SG_TNEF_BEGIN, 0, 0);
        say(SG_TNEF_DATA, 0, 100);
        _exit(0);
        break;
    case 'B':
        without_end();
        break;
    case 'P':
        frames_without_end(SG_TNEF_BEGIN, 0);
        break;
    case 'E':
        frames_without_end(SG_TNEF_NAME, 0);
        break;
    case 'A':
        frames_without_end(SG_TNEF_DAMAGE, 1);
        break;
    case 'O':
        frames_without_end(SG_TNEF_DATA, 0);
        break;
    default:
        escape(how);
        break;
    }
    /* Whatever did not end it: an answer that no test takes for good. */
    say(SG_TNEF_BEGIN, 0, 0);
    say(SG_TNEF_DATA, 0, 7);
    if (write(1, "escaped", 7) == 7)
        say(SG_TNEF_END, 0, 0);
    (void)!read(0, &how, 1);
    _exit(0);
}

int main(int argc, char **argv)
{
    struct sg_tnef_request request;
    char how = 0;
    if (argc != 5 || !sg_sandbox_limits(strtoull(argv[2], NULL, 10), (unsigned)atoi(argv[3])) ||
        !sg_sandbox_enter())
        return SG_TNEF_EXIT_SANDBOX;
    say(SG_TNEF_READY, 0, 0);
    if (read(0, &request, sizeof request) != sizeof request || read(0, &how, 1) != 1)
        _exit(1);
    misbehave(how);
}
