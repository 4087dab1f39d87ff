/* policy_server.h: requests as Postfix writes them, and others. */
#include "smtp/policy_server.h"

#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define REQUEST "request=smtpd_access_policy\n"

static struct sg_policy_server *server;
static char path[100], address[110];

static void decide(void *ctx, const struct sg_policy_request *request, char *action, size_t size)
{
    (void)ctx;
    const char *sender = sg_policy_attribute(request, "sender");
    if (strcmp(sender, "bug@b.test") == 0)
        snprintf(action, size, "DUNNO\naction=OK");
    else if (strcmp(sender, "none@b.test") != 0)
        snprintf(action, size, "PREPEND X: %s|%s|%s", sender,
                 sg_policy_attribute(request, "queue_id"), sg_policy_attribute(request, "absent"));
}

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/policy.sock", peer_dir());
    snprintf(address, sizeof address, "unix:%s", path);
    struct sg_policy_server_options o = {.name = "policy",
                                         .address = address,
                                         .mode = 0660,
                                         .max_connections = 20,
                                         .max_request_bytes = 2000,
                                         .request_timeout_ms = 500,
                                         .decide = decide};
    struct sg_error err;
    return sg_policy_server_start(&o, &server, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    int idle = peer_connect(path);
    sg_policy_server_stop(&server, 5000);
    peer_expect_end(idle);
    close(idle);
    assert_null(server);
    peer_dir_remove();
    return 0;
}

static void answered(int fd, const char *request, const char *answer)
{
    char text[500];
    size_t n = 0;
    peer_send(fd, request);
    while (n < strlen(answer)) {
        ssize_t got = recv(fd, text + n, strlen(answer) - n, 0);
        assert_true(got > 0);
        n += (size_t)got;
    }
    text[n] = 0;
    assert_string_equal(text, answer);
}

static void requests(void **state)
{
    (void)state;
    int fd = peer_connect(path);
    answered(fd, REQUEST "protocol_state=DATA\nsender=a@b.test\nqueue_id=4Xq=1\nempty=\n\n",
             "action=PREPEND X: a@b.test|4Xq=1|\n\n");
    answered(fd, REQUEST "sender=c@b.test\n\n", "action=PREPEND X: c@b.test||\n\n");
    /* Two at once, and one in two halves. */
    answered(fd, REQUEST "sender=1\n\n" REQUEST "sender=2\n\n" REQUEST "sen",
             "action=PREPEND X: 1||\n\naction=PREPEND X: 2||\n\n");
    answered(fd, "der=3\n\n", "action=PREPEND X: 3||\n\n");
    close(fd);
}

static void what_decide_gets_wrong(void **state)
{
    (void)state;
    int fd = peer_connect(path);
    answered(fd, REQUEST "sender=bug@b.test\n\n",
             "action=DEFER_IF_PERMIT 4.3.0 try again later\n\n");
    answered(fd, REQUEST "sender=none@b.test\n\n",
             "action=DEFER_IF_PERMIT 4.3.0 try again later\n\n");
    close(fd);
}

static void refused(const char *text, size_t len)
{
    int fd = peer_connect(path);
    peer_send_octets(fd, text, len);
    peer_expect_end(fd);
    close(fd);
}

static void bad_requests(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "sender=a\n\n",
        "request=other\n\n",
        REQUEST "sender\n\n",
        REQUEST "=x\n\n",
        REQUEST "sender=a\nsender=b\n\n",
        "\n\n",
        "\nrequest=smtpd_access_policy\n\n",
        REQUEST "sender=unfinished\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i], strlen(bad[i]));
    static const char nul[] = REQUEST "sender=a\0b\n\n";
    refused(nul, sizeof nul - 1);
    char many[1900] = REQUEST;
    for (int i = 0; i < 64; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "n%d=\n", i);
    strcat(many, "\n");
    refused(many, strlen(many));
}

static void request_limit(void **state)
{
    (void)state;
    char text[2100] = REQUEST "sender=1\nx=";
    size_t n = strlen(text);
    memset(text + n, 'x', 2001 - n);
    text[1998] = '\n';
    text[1999] = '\n'; /* 2000 in all */
    text[2000] = 0;
    int fd = peer_connect(path);
    answered(fd, text, "action=PREPEND X: 1||\n\n");
    close(fd);
    text[1998] = 'x';
    text[1999] = '\n';
    text[2000] = '\n';
    text[2001] = 0;
    refused(text, 2001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(what_decide_gets_wrong),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(request_limit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
