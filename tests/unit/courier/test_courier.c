/* courier.h: what is known of a message after whoever sent it was killed, at each point of its way.
 */
#include "courier/courier_internal.h"
#include "script.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OPEN     "A", "S 220 hi", "C EHLO gw.test", "S 250 mx"
#define ENVELOPE "C* MAIL", "S 250 ok", "C* RCPT", "S 250 ok", "C DATA", "S 354"
#define SMALL    "640"
#define LARGE    "20000000" /* more than all buffers on the way take */

static char dir[] = "/tmp/sg-courier-XXXXXX";

static int setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

struct sender {
    pid_t pid;
    FILE *said;
    int bid; /* closed: it is to end */
};

static struct sender sender_begin(int port, enum sg_smtp_tls tls, const char *id, const char *size)
{
    char port_text[8], tls_text[8];
    const char *argv[] = {"sender", SG_COURIER_HELPER, dir, port_text, tls_text, id, size, NULL};
    int out[2], in[2];
    struct sender s;
    posix_spawn_file_actions_t actions;
    snprintf(port_text, sizeof port_text, "%d", port);
    snprintf(tls_text, sizeof tls_text, "%d", (int)tls);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    assert_int_equal(
        posix_spawn(&s.pid, SG_COURIER_SENDER, &actions, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(in[0]);
    s.said = fdopen(out[0], "r");
    s.bid = in[1];
    return s;
}

static void sender_says(struct sender *s, const char *word)
{
    char line[100] = "";
    assert_non_null(fgets(line, sizeof line, s->said));
    line[strcspn(line, "\n")] = 0;
    assert_string_equal(line, word);
}

static void sender_end(struct sender *s, int signal)
{
    int status;
    if (signal)
        kill(s->pid, signal);
    close(s->bid);
    waitpid(s->pid, &status, 0);
    assert_true(signal ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fclose(s->said);
}

/* What the next gatewayd knows. */
static struct sg_courier *next(void)
{
    const struct sg_courier_options o = {.program = SG_COURIER_HELPER,
                                         .dir = dir,
                                         .keep_ms = 86400000,
                                         .client = {.hostname = "gw.test", .slots = 1},
                                         .log_level = 3,
                                         .confine = true};
    struct sg_courier *c;
    struct sg_error err;
    if (!sg_courier_start(&o, &c, &err))
        fail_msg("%s", err.detail);
    for (int i = 0; !sg_courier_listed(c); i++) {
        assert_true(i < 10000);
        usleep(1000); /* asks again: there is nothing to wait on */
    }
    return c;
}

static enum sg_courier_fate fate(struct sg_courier *c, int id)
{
    uint8_t octets[SG_COURIER_ID];
    memset(octets, id, sizeof octets);
    return sg_courier_fate(c, octets);
}

static void fate_becomes(struct sg_courier *c, int id, enum sg_courier_fate expected)
{
    for (int i = 0; fate(c, id) == SG_COURIER_PENDING; i++) {
        assert_true(i < 10000);
        usleep(1000);
    }
    assert_int_equal(fate(c, id), expected);
}

/* The very window: the next hop has all of it, and its sender is killed before the answer. */
static void killed_before_the_answer(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE, "D*", "R", "W", "S 250 2.0.0 ok", NULL};
    struct script *server = script_begin(steps);
    struct sender s = sender_begin(script_port(server), SG_SMTP_TLS_NONE, "1", SMALL);
    script_reached(server);
    sender_end(&s, SIGKILL);
    struct sg_courier *c = next();
    assert_true(sg_courier_knows(c));
    assert_int_equal(fate(c, 1), SG_COURIER_PENDING);
    script_go(server);
    fate_becomes(c, 1, SG_COURIER_TAKEN);
    assert_int_equal(fate(c, 2), SG_COURIER_UNKNOWN);
    script_end(&server);
    /* … and the one after it, killed or not. */
    sg_courier_stop(&c);
    c = next();
    assert_int_equal(fate(c, 1), SG_COURIER_TAKEN);
    sg_courier_stop(&c);
}

/* The state of TLS is the courier's, and does not die with gatewayd. */
static void killed_before_the_answer_under_tls(void **state)
{
    (void)state;
    static const char *const steps[] = {
        "A",        "S 220 hi", "C EHLO gw.test", "S 250-mx", "S 250 STARTTLS", "C STARTTLS",
        "S 220 go", "T",        "C EHLO gw.test", "S 250 mx", ENVELOPE,         "D*",
        "R",        "W",        "S 250 2.0.0 ok", NULL};
    char command[500], certificate[64], key[64];
    snprintf(command, sizeof command,
             "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
             "-subj /CN=mx -keyout key -out pem 2>/dev/null",
             dir);
    snprintf(certificate, sizeof certificate, "%s/pem", dir);
    snprintf(key, sizeof key, "%s/key", dir);
    assert_int_equal(system(command), 0);
    script_tls(certificate, key);
    struct script *server = script_begin(steps);
    script_tls(NULL, NULL);
    struct sender s = sender_begin(script_port(server), SG_SMTP_TLS_REQUIRED, "8", SMALL);
    script_reached(server);
    sender_end(&s, SIGKILL);
    script_go(server);
    script_end(&server);
    struct sg_courier *c = next();
    fate_becomes(c, 8, SG_COURIER_TAKEN);
    sg_courier_stop(&c);
}

static void killed_after_the_answer(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE, "D*", "S 250 2.0.0 ok", "E", NULL};
    struct script *server = script_begin(steps);
    struct sender s = sender_begin(script_port(server), SG_SMTP_TLS_NONE, "3", SMALL);
    sender_says(&s, "250");
    sender_end(&s, SIGKILL);
    script_end(&server);
    struct sg_courier *c = next();
    fate_becomes(c, 3, SG_COURIER_TAKEN);
    sg_courier_stop(&c);
}

static void killed_before_the_answer_no(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE, "D*", "R", "W", "S 451 4.3.0 no", NULL};
    struct script *server = script_begin(steps);
    struct sender s = sender_begin(script_port(server), SG_SMTP_TLS_NONE, "4", SMALL);
    script_reached(server);
    sender_end(&s, SIGKILL);
    struct sg_courier *c = next();
    script_go(server);
    fate_becomes(c, 4, SG_COURIER_UNKNOWN);
    script_end(&server);
    sg_courier_stop(&c);
}

/* The next hop goes away without a word: nobody will ever know. */
static void killed_and_never_answered(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE, "D*", "R", "W", "X", NULL};
    struct script *server = script_begin(steps);
    struct sender s = sender_begin(script_port(server), SG_SMTP_TLS_NONE, "5", SMALL);
    script_reached(server);
    sender_end(&s, SIGKILL);
    struct sg_courier *c = next();
    assert_int_equal(fate(c, 5), SG_COURIER_PENDING);
    script_go(server);
    fate_becomes(c, 5, SG_COURIER_UNKNOWN);
    script_end(&server);
    sg_courier_stop(&c);
}

/* The opposite: the courier has not all of it, and sends no end. */
static void killed_within_the_content(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE, "R", "W", "D-", NULL};
    struct script *server = script_begin(steps);
    struct sender s = sender_begin(script_port(server), SG_SMTP_TLS_NONE, "6", LARGE);
    script_reached(server);
    sender_end(&s, SIGKILL);
    script_go(server);
    script_end(&server);
    struct sg_courier *c = next();
    assert_int_equal(fate(c, 6), SG_COURIER_UNKNOWN);
    sg_courier_stop(&c);
}

/* The names in the folder, a line each. */
static void files(char *names, size_t size)
{
    char command[100];
    snprintf(command, sizeof command, "ls %s", dir);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    size_t n = fread(names, 1, size - 1, f);
    names[n] = 0;
    assert_true(feof(f)); /* those were all */
    pclose(f);
}

/* Files of earlier ones may go meanwhile: a courier that was left alone lives on for a moment. */
static pid_t child_of(pid_t pid)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &child), 1);
    fclose(f);
    return child;
}

/* A line that found no room does not spoil the one that does, nor is what is there called all. */
static void with_room_for(rlim_t octets, const char *id)
{
    static const char *const steps[] = {OPEN, ENVELOPE, "D*", "R", "W", "S 250 2.0.0 ok", NULL};
    const struct rlimit little = {octets, RLIM_INFINITY}, enough = {RLIM_INFINITY, RLIM_INFINITY};
    char path[64];
    struct stat file = {0};
    struct script *server = script_begin(steps);
    struct sender s = sender_begin(script_port(server), SG_SMTP_TLS_NONE, id, SMALL);
    script_reached(server);
    pid_t courier = child_of(s.pid);
    assert_int_equal(prlimit(courier, RLIMIT_FSIZE, &little, NULL), 0);
    sender_end(&s, SIGKILL);
    snprintf(path, sizeof path, "/proc/%d/fd/1", (int)courier);
    for (int i = 0; stat(path, &file) != 0 || (rlim_t)file.st_size < octets; i++) {
        assert_true(i < 10000);
        usleep(1000); /* looks again: there is nothing to wait on */
    }
    assert_int_equal(prlimit(courier, RLIMIT_FSIZE, &enough, NULL), 0);
    script_go(server);
    script_end(&server);
    struct sg_courier *c = next();
    fate_becomes(c, atoi(id), SG_COURIER_TAKEN);
    sg_courier_stop(&c);
}

static void killed_with_little_room(void **state)
{
    (void)state;
    with_room_for(30, "31");
    with_room_for(5, "32");
}

static void an_orderly_end_leaves_nothing(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE, "D*", "S 250 2.0.0 ok", "E", NULL};
    struct script *server = script_begin(steps);
    char before[4096], after[4096], *rest = after;
    files(before, sizeof before);
    struct sender s = sender_begin(script_port(server), SG_SMTP_TLS_NONE, "7", SMALL);
    sender_says(&s, "250");
    sender_end(&s, 0);
    script_end(&server);
    files(after, sizeof after);
    for (char *name; (name = strsep(&rest, "\n")) && *name;)
        if (!strstr(before, name))
            fail_msg("%s was left", name);
    struct sg_courier *c = next();
    assert_int_equal(fate(c, 7), SG_COURIER_UNKNOWN);
    sg_courier_stop(&c);
}

static bool send_text(struct sg_courier *c, int port, struct sg_bytes text,
                      struct sg_smtp_reply *reply, struct sg_error *err)
{
    const char *const recipients[] = {"c@d.test"};
    const uint8_t ids[1][SG_COURIER_ID] = {{9}};
    struct sg_courier_sent *sent = NULL;
    struct sg_smtp_destination d = {.host = "127.0.0.1", .port = port};
    struct sg_smtp_envelope e = {
        .sender = "a@b.test", .recipients = recipients, .recipient_count = 1};
    struct sg_smtp_piece piece = {.bytes = text};
    bool ok = sg_courier_send(c, &sent, &d, &e, ids, &piece, 1, reply, err);
    sg_courier_release(c, &sent);
    return ok;
}

static bool send_one(struct sg_courier *c, int port, struct sg_smtp_reply *reply,
                     struct sg_error *err)
{
    return send_text(c, port, sg_bytes_str("Subject: x\r\n\r\nhello\r\n"), reply, err);
}

static bool send_so_many(struct sg_courier *c, int port, size_t octets, struct sg_smtp_reply *reply,
                         struct sg_error *err)
{
    char *text = malloc(octets + 2);
    assert_non_null(text);
    for (size_t i = 0; i < octets; i++)
        text[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
    memcpy(text + octets, "\r\n", 2);
    bool ok = send_text(c, port, sg_bytes_of(text, octets + 2), reply, err);
    free(text);
    return ok;
}

static struct sg_courier *ready_with(int64_t alive_ms, int64_t most_ms)
{
    const struct sg_courier_options o = {.program = SG_COURIER_HELPER,
                                         .dir = dir,
                                         .keep_ms = 86400000,
                                         .client = {.hostname = "gw.test",
                                                    .slots = 1,
                                                    .slot_wait_ms = most_ms,
                                                    .connect_timeout_ms = most_ms,
                                                    .command_timeout_ms = most_ms,
                                                    .data_timeout_ms = most_ms,
                                                    .idle_ms = 60000},
                                         .alive_ms = alive_ms,
                                         .log_level = 3,
                                         .confine = true};
    struct sg_courier *c;
    struct sg_error err;
    if (!sg_courier_start(&o, &c, &err))
        fail_msg("%s", err.detail);
    return c;
}

static struct sg_courier *ready(void)
{
    return ready_with(0, 5000);
}

/* Errors and replies are those of the client, and connections are kept. */
static void passes_on_what_the_client_says(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN,
                                        ENVELOPE,
                                        "D Subject: x\r\n\r\nhello\r\n",
                                        "S 250 2.6.0 <5> queued",
                                        ENVELOPE,
                                        "D*",
                                        "S 550 5.7.1 not this one",
                                        "C* MAIL",
                                        "S 250 ok",
                                        "C* RCPT",
                                        "S 550 5.1.1 who",
                                        "E",
                                        NULL};
    struct script *server = script_begin(steps);
    int port = script_port(server);
    struct sg_courier *c = ready();
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    assert_true(send_one(c, port, &reply, &err));
    assert_int_equal(reply.code, 250);
    assert_string_equal(reply.enhanced, "2.6.0");
    assert_string_equal(reply.text, "<5> queued");
    assert_true(send_one(c, port, &reply, &err));
    assert_int_equal(reply.code, 550);
    assert_true(send_one(c, port, &reply, &err));
    assert_string_equal(reply.text, "who");
    sg_courier_stop(&c);
    script_end(&server);
    c = ready();
    assert_false(send_one(c, port, &reply, &err)); /* nobody listens any more */
    assert_int_equal(err.code, SG_E_SMTP_CONNECT);
    sg_courier_stop(&c);
}

static void answers_each_recipient(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN,
                                        "C* MAIL",
                                        "S 250 ok",
                                        "C RCPT TO:<a@d.test>",
                                        "S 250 ok",
                                        "C RCPT TO:<b@d.test>",
                                        "S 550 5.1.1 who",
                                        "C RCPT TO:<c@d.test>",
                                        "S 250 ok",
                                        "C DATA",
                                        "S 354",
                                        "D*",
                                        "S 250 2.0.0 ok",
                                        "E",
                                        NULL};
    struct script *server = script_begin(steps);
    struct sg_courier *c = ready();
    const char *const recipients[] = {"a@d.test", "b@d.test", "c@d.test"};
    const uint8_t ids[3][SG_COURIER_ID] = {{10}, {11}, {12}};
    struct sg_courier_sent *sent = NULL;
    struct sg_smtp_reply replies[3];
    struct sg_smtp_destination d = {.host = "127.0.0.1", .port = script_port(server)};
    struct sg_smtp_envelope e = {.sender = "", .recipients = recipients, .recipient_count = 3};
    struct sg_smtp_piece piece = {.bytes = sg_bytes_str("Subject: x\r\n\r\nhello\r\n")};
    struct sg_error err = {0};
    assert_true(sg_courier_send(c, &sent, &d, &e, ids, &piece, 1, replies, &err));
    sg_courier_release(c, &sent);
    assert_int_equal(replies[0].code, 250);
    assert_string_equal(replies[1].text, "who");
    assert_int_equal(replies[2].code, 250);
    sg_courier_stop(&c);
    script_end(&server);
}

/* What has a lease for a sending must have it for longer: whatever times are configured. */
static void says_how_long_a_sending_may_take(void **state)
{
    (void)state;
    for (int64_t most_ms = 100; most_ms <= 3600000; most_ms *= 6) {
        struct sg_courier *c = ready_with(0, most_ms);
        int64_t slot = most_ms, connecting = 2 * most_ms, replies = 4 * most_ms,
                content = 3 * most_ms;
        assert_true(sg_courier_longest_ms(c, 20) >= slot + 20 + connecting + replies + content);
        sg_courier_stop(&c);
    }
}

static void courier_kill(struct sg_courier *c)
{
    assert_int_equal(kill(c->pid, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOWAIT), 0);
}

/* A courier that is killed alone: at rest nothing is lost, with a message it is not known. */
static void starts_another_one(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE, "D*", "S 250 ok", "E",
                                        OPEN, ENVELOPE, "D*", "S 250 ok", NULL};
    struct script *server = script_begin(steps);
    struct sg_courier *c = ready();
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    int64_t lost = sg_metric_get(sg_courier_metrics[0], COURIER_LOST, 0);
    courier_kill(c); /* before there is any channel */
    assert_true(send_one(c, script_port(server), &reply, &err));
    courier_kill(c); /* a channel is kept */
    assert_true(send_one(c, script_port(server), &reply, &err));
    assert_int_equal(reply.code, 250);
    assert_int_equal(sg_metric_get(sg_courier_metrics[0], COURIER_LOST, 0), lost + 2);
    script_end(&server);
    sg_courier_stop(&c);
}

/* Servers that do as they like: each time what is known is said, the courier lives, and the next
 * message goes. */
static void bears_odd_servers(void **state)
{
    (void)state;
    static char endless[100003] = "S "; /* more than it reads, less than lies in sockets */
    static const char *const close_within[] = {OPEN, ENVELOPE, "X", NULL};
    static const char *const taken_and_gone[] = {OPEN, ENVELOPE, "D*", "S 250 2.0.0 ok", "X", NULL};
    static const char *const garbage[] = {OPEN, ENVELOPE, "D*", "S \x01\xff hello", "E", NULL};
    static const char *const endless_answer[] = {OPEN, ENVELOPE, "D*", endless, "X", NULL};
    static const char *const endless_welcome[] = {"A", endless, "X", NULL};
    static const char *const neither[] = {OPEN, ENVELOPE, "D*", "S 354 more", "E", NULL};
    static const struct {
        const char *const *steps;
        size_t octets;
        enum sg_error_code code; /* SG_OK: it was taken */
    } servers[] = {{close_within, 8 << 20, SG_E_SMTP_CONNECT},
                   {taken_and_gone, 100, SG_OK},
                   {garbage, 100, SG_E_SMTP_PEER},
                   {endless_answer, 100, SG_E_SMTP_PEER},
                   {endless_welcome, 100, SG_E_SMTP_CONNECT},
                   {neither, 100, SG_E_SMTP_PEER},
                   {taken_and_gone, 50000, SG_OK}};
    struct sg_courier *c = ready_with(0, 20000);
    pid_t pid = c->pid;
    memset(endless + 2, '2', 100000);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        struct script *server = script_begin(servers[i].steps);
        struct sg_smtp_reply reply;
        struct sg_error err = {0};
        bool ok = send_so_many(c, script_port(server), servers[i].octets, &reply, &err);
        if (ok != (servers[i].code == SG_OK) || err.code != servers[i].code)
            fail_msg("server %zu: %s %s", i, sg_error_name(err.code), err.detail);
        script_end(&server);
    }
    assert_int_equal(c->pid, pid);
    sg_courier_stop(&c);
}

struct killer {
    struct script *server;
    pid_t courier;
};

static void *kill_when_reached(void *arg)
{
    struct killer *k = arg;
    script_reached(k->server);
    kill(k->courier, SIGKILL);
    script_go(k->server);
    return NULL;
}

static void killed_itself_with_a_message(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE, "D*", "R", "W", "E", NULL};
    struct script *server = script_begin(steps);
    struct sg_courier *c = ready();
    struct killer k = {server, c->pid};
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    pthread_t thread;
    pthread_create(&thread, NULL, kill_when_reached, &k);
    assert_false(send_one(c, script_port(server), &reply, &err));
    assert_int_equal(err.code, SG_E_SMTP_PEER);
    pthread_join(thread, NULL);
    script_end(&server);
    sg_courier_stop(&c);
}

struct freezer {
    struct script *server;
    struct sg_courier *courier;
    pid_t pid; /* of its process */
    bool thaw; /* once it has left a question unanswered */
};

static bool left_one_unanswered(struct sg_courier *c)
{
    pthread_mutex_lock(&c->lock);
    bool left = c->unanswered > 0;
    pthread_mutex_unlock(&c->lock);
    return left;
}

static void *freeze_when_reached(void *arg)
{
    struct freezer *f = arg;
    script_reached(f->server);
    kill(f->pid, SIGSTOP);
    script_go(f->server);
    while (f->thaw && !left_one_unanswered(f->courier))
        usleep(1000); /* asks again: there is nothing to wait on */
    if (f->thaw)
        kill(f->pid, SIGCONT);
    return NULL;
}

/* It gives no sign of life: the message is in doubt, the next one goes through another courier. */
static void hung_with_a_message(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE,         "D*", "R", "W", "E", OPEN, ENVELOPE,
                                        "D*", "S 250 2.0.0 ok", "E",  NULL};
    struct script *server = script_begin(steps);
    struct sg_courier *c = ready_with(900, 60000);
    pid_t first = c->pid;
    struct freezer f = {.server = server, .courier = c, .pid = first};
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    pthread_t thread;
    pthread_create(&thread, NULL, freeze_when_reached, &f);
    assert_false(send_one(c, script_port(server), &reply, &err));
    assert_int_equal(err.code, SG_E_SMTP_PEER);
    pthread_join(thread, NULL);
    assert_true(send_one(c, script_port(server), &reply, &err));
    assert_int_equal(reply.code, 250);
    assert_int_not_equal(c->pid, first);
    sg_courier_stop(&c);
    script_end(&server);
}

/* … for less than the time that it has: nothing happened. */
static void hung_for_a_moment(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE,         "D*", "R",
                                        "W",  "S 250 2.0.0 ok", "E",  NULL};
    struct script *server = script_begin(steps);
    struct sg_courier *c = ready_with(6000, 60000);
    pid_t first = c->pid;
    struct freezer f = {.server = server, .courier = c, .pid = first, .thaw = true};
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    pthread_t thread;
    pthread_create(&thread, NULL, freeze_when_reached, &f);
    assert_true(send_one(c, script_port(server), &reply, &err));
    assert_int_equal(reply.code, 250);
    assert_int_equal(c->pid, first);
    pthread_join(thread, NULL);
    sg_courier_stop(&c);
    script_end(&server);
}

/* The whole job is on its way, and whoever gave it has given up: it is in the queue, and not sent
 * beside. */
static void hung_until_nobody_waits(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE, "D-", NULL};
    struct script *server = script_begin(steps);
    struct sg_courier *c = ready_with(0, 100);
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    kill(c->pid, SIGSTOP);
    assert_false(send_one(c, script_port(server), &reply, &err));
    assert_int_equal(err.code, SG_E_SMTP_PEER);
    kill(c->pid, SIGCONT);
    script_end(&server);
    sg_courier_stop(&c);
}

/* Nobody can say what an earlier courier heard while its file cannot be opened: what was known
 * stays. */
static void no_descriptor_to_read_with(void **state)
{
    (void)state;
    static const char *const steps[] = {OPEN, ENVELOPE, "D*", "R", "W", "S 250 2.0.0 ok", NULL};
    struct script *server = script_begin(steps);
    struct sender s = sender_begin(script_port(server), SG_SMTP_TLS_NONE, "11", SMALL);
    script_reached(server);
    sender_end(&s, SIGKILL);
    struct sg_courier *c = next();
    assert_int_equal(fate(c, 11), SG_COURIER_PENDING);
    struct rlimit usual, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = usual;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum sg_courier_fate meanwhile = fate(c, 11);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_int_equal(meanwhile, SG_COURIER_PENDING);
    script_go(server);
    fate_becomes(c, 11, SG_COURIER_TAKEN);
    script_end(&server);
    sg_courier_stop(&c);
}

static void fails_without_its_program(void **state)
{
    (void)state;
    const struct sg_courier_options o = {
        .program = "/nonexistent/courier", .dir = dir, .client = {.hostname = "gw.test"}};
    struct sg_courier *c;
    struct sg_error err;
    assert_false(sg_courier_start(&o, &c, &err));
    assert_int_equal(err.code, SG_E_IO);
    assert_non_null(strstr(err.detail, "/nonexistent/courier cannot be started"));
}

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void reads_a_file(void **state)
{
    (void)state;
    struct courier_kept k = {0};
    courier_kept_parse(&k, sg_bytes_str("sealgate-courier 1\nhand " A64 "\ntaken " B64
                                        "\nlisted\ntaken " A64 "\nnot " B64 "\n"));
    assert_true(k.listed);
    assert_int_equal(k.count, 2);
    assert_int_equal(k.list[0].id[31], 0xaa);
    assert_int_equal(k.list[0].fate, SG_COURIER_TAKEN);
    assert_int_equal(k.list[1].fate, SG_COURIER_TAKEN); /* once taken is taken */
    courier_kept_free(&k);
}

static void file_make(const char *name, const char *text)
{
    char path[100];
    snprintf(path, sizeof path, "%s/%s.kept", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* Of couriers that are dead, in whatever order their files are found: what none of them heard is
 * not waited for, also where an earlier try was heard to be refused; what one heard counts. */
static void joins_what_dead_ones_left(void **state)
{
    (void)state;
    static const char refused[] = "sealgate-courier 1\nnot " A64 "\nnot " B64 "\nlisted\n";
    static const char waited[] = "sealgate-courier 1\nhand " A64 "\ntaken " B64 "\nlisted\n";
    for (int order = 0; order < 2; order++) {
        file_make("first", order ? refused : waited);
        file_make("second", order ? waited : refused);
        struct sg_courier *c = next();
        assert_int_equal(fate(c, 0xaa), SG_COURIER_UNKNOWN);
        assert_int_equal(fate(c, 0xbb), SG_COURIER_TAKEN);
        sg_courier_stop(&c);
    }
}

/* What is no line of ours, or not whole, proves nothing, and neither does what follows. */
static void reads_no_more_than_was_written(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "sealgate-courier 1",
        "sealgate-courier 2\ntaken " A64 "\n",
        "taken " A64 "\n",
        "sealgate-courier 1\ntaken " A64,
        "sealgate-courier 1\ntaken " A64 "a\n",
        "sealgate-courier 1\ntaken A" A64 "\n",
        "sealgate-courier 1\nTaken " A64 "\n",
        "sealgate-courier 1\n taken " A64 "\n",
        "sealgate-courier 1\nlisted \ntaken " A64 "\n",
        "sealgate-courier 1\n\ntaken " A64 "\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct courier_kept k = {0};
        courier_kept_parse(&k, sg_bytes_str(texts[i]));
        if (k.count || k.listed)
            fail_msg("text %zu gave something", i);
        courier_kept_free(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_before_the_answer),
        cmocka_unit_test(killed_before_the_answer_under_tls),
        cmocka_unit_test(killed_after_the_answer),
        cmocka_unit_test(killed_before_the_answer_no),
        cmocka_unit_test(killed_and_never_answered),
        cmocka_unit_test(killed_within_the_content),
        cmocka_unit_test(killed_with_little_room),
        cmocka_unit_test(an_orderly_end_leaves_nothing),
        cmocka_unit_test(passes_on_what_the_client_says),
        cmocka_unit_test(answers_each_recipient),
        cmocka_unit_test(says_how_long_a_sending_may_take),
        cmocka_unit_test(starts_another_one),
        cmocka_unit_test(bears_odd_servers),
        cmocka_unit_test(killed_itself_with_a_message),
        cmocka_unit_test(hung_with_a_message),
        cmocka_unit_test(hung_for_a_moment),
        cmocka_unit_test(hung_until_nobody_waits),
        cmocka_unit_test(no_descriptor_to_read_with),
        cmocka_unit_test(fails_without_its_program),
        cmocka_unit_test(reads_a_file),
        cmocka_unit_test(joins_what_dead_ones_left),
        cmocka_unit_test(reads_no_more_than_was_written),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
