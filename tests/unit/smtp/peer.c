#include "peer.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/sg-smtp-XXXXXX";

const char *peer_dir(void)
{
    if (strcmp(dir + strlen(dir) - 6, "XXXXXX") == 0)
        assert_non_null(mkdtemp(dir));
    return dir;
}

void peer_dir_remove(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

int peer_connect(const char *unix_path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", unix_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

void peer_send_octets(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        assert_true(n > 0);
        data += n;
        len -= (size_t)n;
    }
}

void peer_send(int fd, const char *text)
{
    peer_send_octets(fd, text, strlen(text));
}

static int octet(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char c;
    if (poll(&p, 1, 10000) != 1)
        fail_msg("nothing came in ten seconds");
    return recv(fd, &c, 1, 0) == 1 ? (unsigned char)c : -1;
}

const char *peer_reply(int fd)
{
    static char text[8192];
    size_t n = 0, line = 0;
    for (int c; (c = octet(fd)) >= 0;) {
        assert_true(n + 1 < sizeof text);
        text[n++] = (char)c;
        if (c != '\n')
            continue;
        if (n - line > 4 && text[line + 3] == ' ')
            break;
        line = n;
    }
    text[n] = 0;
    return text;
}

void peer_expect(int fd, const char *begin)
{
    const char *reply = peer_reply(fd);
    if (strncmp(reply, begin, strlen(begin)) != 0)
        fail_msg("expected \"%s\", came \"%s\"", begin, reply);
}

void peer_expect_end(int fd)
{
    int c = octet(fd);
    if (c >= 0)
        fail_msg("expected the end, came '%c'", c);
}

void peer_say(int fd, const char *line, const char *begin)
{
    peer_send(fd, line);
    peer_send(fd, "\r\n");
    peer_expect(fd, begin);
}
