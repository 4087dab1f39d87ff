/* client.h: kept connections, slots, what is stale. */
#include "script.h"

#include "common/deadline.h"
#include "smtp/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#define HELLO "A", "S 220 hi", "C EHLO gw.test", "S 250 mx"
#define MESSAGE(end)                                                                               \
    "C MAIL FROM:<a@b.test>", "S 250 ok", "C RCPT TO:<c@d.test>", "S 250 ok", "C DATA", "S 354",   \
        "D*", end

static struct sg_smtp_client_options options = {.hostname = "gw.test",
                                                .slots = 1,
                                                .slot_wait_ms = 5000,
                                                .connect_timeout_ms = 5000,
                                                .command_timeout_ms = 5000,
                                                .data_timeout_ms = 5000,
                                                .idle_ms = 60000};

static struct sg_smtp_destination at(const struct script *s)
{
    return (struct sg_smtp_destination){.host = "127.0.0.1", .port = script_port(s)};
}

static void expect(struct sg_smtp_client *c, const struct sg_smtp_destination *d, int code)
{
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    if (!script_send(c, d, &reply, &err))
        fail_msg("%s: %s", sg_error_name(err.code), err.detail);
    assert_int_equal(reply.code, code);
}

static void one_connection_for_many(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO, MESSAGE("S 250 1"), MESSAGE("S 550 2"),
                                        /* a transaction that ends early is reset with the next */
                                        "C* MAIL", "S 250 ok", "C* RCPT", "S 550 no", "C RSET",
                                        "S 250 ok", MESSAGE("S 250 4"), "C QUIT", "X", NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = sg_smtp_client_new(&options);
    expect(c, &d, 250);
    expect(c, &d, 550);
    expect(c, &d, 550);
    expect(c, &d, 250);
    sg_smtp_client_free(&c);
    script_end(&s);
}

/* Postfix keeps for a process's life what it could not look up: ours is asked by another
 * connection, and the end of that one (max_use) ends the process. Others may say "later" as often
 * as they like. */
static void what_ours_could_not_tell(void **state)
{
    (void)state;
#define LATER "C* MAIL", "S 250 ok", "C* RCPT", "S 451 lookup failure"
    static const char *const ours[] = {HELLO,
                                       MESSAGE("S 250 1"),
                                       MESSAGE("S 452 full"),
                                       "C QUIT",
                                       "X",
                                       HELLO,
                                       LATER,
                                       "C QUIT",
                                       "X",
                                       HELLO,
                                       MESSAGE("S 550 no"),
                                       MESSAGE("S 250 5"),
                                       "C QUIT",
                                       "X",
                                       NULL};
    static const char *const others[] = {HELLO,      MESSAGE("S 452 full"), LATER,    "C RSET",
                                         "S 250 ok", MESSAGE("S 250 3"),    "C QUIT", "X",
                                         NULL};
    static const int codes[2][6] = {{250, 452, 451, 550, 250}, {452, 451, 250}};
    for (int i = 0; i < 2; i++) {
        struct script *s = script_begin(i == 0 ? ours : others);
        struct sg_smtp_destination d = at(s);
        struct sg_smtp_client *c = sg_smtp_client_new(&options);
        d.own_wait_ms = i == 0 ? 5000 : 0;
        for (int k = 0; codes[i][k]; k++)
            expect(c, &d, codes[i][k]);
        sg_smtp_client_free(&c);
        script_end(&s);
    }
}

/* Other security, other connection: what was made without a check is not used where one is due. */
static void not_shared(void **state)
{
    (void)state;
    static const char *const plain_then_tls[] = {
        HELLO, MESSAGE("S 250 1"), "A", "S 220 hi", "C EHLO gw.test", "S 250 mx", "E", NULL};
    struct script *s = script_begin(plain_then_tls);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = sg_smtp_client_new(&options);
    expect(c, &d, 250);
    d.tls = SG_SMTP_TLS_REQUIRED;
    struct sg_smtp_reply reply;
    struct sg_error err;
    assert_false(script_send(c, &d, &reply, &err));
    assert_int_equal(err.code, SG_E_SMTP_TLS);
    sg_smtp_client_free(&c);
    script_end(&s);
}

/* Nor is what leads anywhere used for what may go into some networks alone (REQ-125). */
static void not_shared_within(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO, MESSAGE("S 250 1"), HELLO, MESSAGE("S 250 2"), NULL};
    static const char *const loopback[] = {"127.0.0.0/8"}, *const elsewhere[] = {"192.0.2.0/24"};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_networks *here, *there;
    struct sg_smtp_reply reply;
    struct sg_error err;
    assert_true(sg_networks_new(loopback, 1, 1, &here, &err));
    assert_true(sg_networks_new(elsewhere, 1, 2, &there, &err));
    struct sg_smtp_client *c = sg_smtp_client_new(&options);
    expect(c, &d, 250);
    d.within = there;
    assert_false(script_send(c, &d, &reply, &err));
    assert_int_equal(err.code, SG_E_EGRESS);
    sg_smtp_client_free(&c);
    c = sg_smtp_client_new(&options);
    d.within = here;
    expect(c, &d, 250);
    d.within = there; /* the networks have changed */
    assert_false(script_send(c, &d, &reply, &err));
    assert_int_equal(err.code, SG_E_EGRESS);
    sg_smtp_client_free(&c);
    script_end(&s);
    sg_networks_unref(&here);
    sg_networks_unref(&there);
}

static void closed_while_kept(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO,
                                        MESSAGE("S 250 1"),
                                        "X",
                                        "W",
                                        HELLO,
                                        MESSAGE("S 250 2"),
                                        "S 421 4.4.2 idle too long",
                                        "W",
                                        HELLO,
                                        MESSAGE("S 250 3"),
                                        "E",
                                        NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = sg_smtp_client_new(&options);
    for (int i = 0; i < 3; i++) {
        expect(c, &d, 250);
        script_go(s);
    }
    sg_smtp_client_free(&c);
    script_end(&s);
}

/* It seems alive and dies under the first command: a fresh one is used, once. */
static void stale(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO,
                                        MESSAGE("S 250 1"),
                                        "C* MAIL",
                                        "X",
                                        HELLO,
                                        MESSAGE("S 250 2"),
                                        "C* MAIL",
                                        "S 421 4.3.2 going",
                                        "X",
                                        HELLO,
                                        MESSAGE("S 250 3"),
                                        "C* MAIL",
                                        "X",
                                        HELLO,
                                        "C* MAIL",
                                        "X",
                                        NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = sg_smtp_client_new(&options);
    for (int i = 0; i < 3; i++)
        expect(c, &d, 250);
    struct sg_smtp_reply reply;
    struct sg_error err;
    assert_false(script_send(c, &d, &reply, &err));
    assert_int_equal(err.code, SG_E_SMTP_CONNECT);
    sg_smtp_client_free(&c);
    script_end(&s);
}

/* Content was sent: whatever becomes of the reply, it is not sent again. */
static void never_twice(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO, MESSAGE("S 250 1"), MESSAGE("X"), NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = sg_smtp_client_new(&options);
    expect(c, &d, 250);
    struct sg_smtp_reply reply;
    struct sg_error err;
    assert_false(script_send(c, &d, &reply, &err));
    assert_int_equal(err.code, SG_E_SMTP_PEER);
    sg_smtp_client_free(&c);
    script_end(&s);
}

static void idle_connections_end(void **state)
{
    (void)state;
    static const char *const steps[] = {
        HELLO, MESSAGE("S 250 1"), MESSAGE("S 250 2"), "C QUIT", "X", NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client_options brief = options;
    brief.idle_ms = 500;
    struct sg_smtp_client *c = sg_smtp_client_new(&brief);
    expect(c, &d, 250);
    expect(c, &d, 250); /* it ends later than was said when it was first kept */
    script_end(&s);     /* while the client lives */
    sg_smtp_client_free(&c);
    static const char *const none_kept[] = {HELLO, MESSAGE("S 250 1"), "C QUIT", "X", NULL};
    s = script_begin(none_kept);
    d = at(s);
    brief.idle_ms = 0;
    c = sg_smtp_client_new(&brief);
    expect(c, &d, 250);
    script_end(&s);
    sg_smtp_client_free(&c);
}

struct sender {
    pthread_t thread;
    struct sg_smtp_client *client;
    struct sg_smtp_destination destination;
    bool ok;
    struct sg_smtp_reply reply;
    struct sg_error err;
};

static void *sender_main(void *arg)
{
    struct sender *s = arg;
    s->ok = script_send(s->client, &s->destination, &s->reply, &s->err);
    return NULL;
}

static struct timespec soon(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 10000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static void slots(void **state)
{
    (void)state;
    /* The first holds the only slot until it is let go. */
    static const char *const steps[] = {
        HELLO,   "C* MAIL", "W",       "S 250 ok",         "C* RCPT", "S 250 ok", "C DATA",
        "S 354", "D*",      "S 250 1", MESSAGE("S 250 2"), "C QUIT",  "X",        NULL};
    static const char *const other[] = {HELLO, MESSAGE("S 250 1"), "C QUIT", "X", NULL};
    struct script *s = script_begin(steps), *o = script_begin(other);
    struct sg_smtp_client_options brief = options;
    brief.slot_wait_ms = 200;
    struct sender a = {.client = sg_smtp_client_new(&brief), .destination = at(s)};
    struct sender b = a;
    struct sg_smtp_destination elsewhere = at(o);
    pthread_create(&a.thread, NULL, sender_main, &a);
    /* Whichever takes the slot, the other one has to give up. */
    pthread_create(&b.thread, NULL, sender_main, &b);
    expect(a.client, &elsewhere, 250); /* somebody else's slots are not touched */
    struct sender *busy = NULL;
    while (!busy) {
        struct timespec pause = soon();
        if (pthread_timedjoin_np(a.thread, NULL, &pause) == 0)
            busy = &a;
        else if (pthread_tryjoin_np(b.thread, NULL) == 0)
            busy = &b;
    }
    assert_false(busy->ok);
    assert_int_equal(busy->err.code, SG_E_BUSY);
    script_go(s);
    struct sender *served = busy == &a ? &b : &a;
    pthread_join(served->thread, NULL);
    assert_true(served->ok);
    /* The slot is free again. */
    expect(a.client, &a.destination, 250);
    sg_smtp_client_free(&a.client);
    script_end(&s);
    script_end(&o);
}

/* Many senders, one slot: one connection, every message through. */
static void contention(void **state)
{
    (void)state;
    enum { SENDERS = 8 };
    static const char *steps[4 + SENDERS * 8 + 4];
    size_t n = 0;
    static const char *const hello[] = {HELLO};
    static const char *const message[] = {MESSAGE("S 250 ok")};
    for (size_t i = 0; i < 4; i++)
        steps[n++] = hello[i];
    for (size_t k = 0; k < SENDERS; k++)
        for (size_t i = 0; i < sizeof message / sizeof *message; i++)
            steps[n++] = message[i];
    steps[n++] = "C QUIT";
    steps[n++] = "X";
    steps[n] = NULL;
    struct script *s = script_begin(steps);
    struct sender all[SENDERS];
    struct sg_smtp_client *c = sg_smtp_client_new(&options);
    for (size_t i = 0; i < SENDERS; i++) {
        all[i] = (struct sender){.client = c, .destination = at(s)};
        pthread_create(&all[i].thread, NULL, sender_main, &all[i]);
    }
    for (size_t i = 0; i < SENDERS; i++) {
        pthread_join(all[i].thread, NULL);
        assert_true(all[i].ok);
        assert_int_equal(all[i].reply.code, 250);
    }
    sg_smtp_client_free(&c);
    script_end(&s);
}

static bool take(struct smtp_pool *pool, const struct sg_smtp_destination *d,
                 struct smtp_place **place_r)
{
    struct smtp_connection *kept;
    struct sg_error err = {0};
    bool ok = smtp_pool_take(pool, d, sg_deadline_in(0), place_r, &kept, &err);
    assert_true(ok || err.code == SG_E_BUSY);
    return ok;
}

/* Of 8: 3 for the first that hangs, half of what is left for the next, and one for each that comes.
 */
static void shares(void **state)
{
    (void)state;
    static const int may[] = {3, 2, 1, 1, 1, 1, 1, 1, 1, 1};
    enum { SERVERS = sizeof may / sizeof *may, SLOTS = 9 };
    struct smtp_pool *pool = smtp_pool_new(SLOTS, 8, 1000);
    struct smtp_place *taken[SERVERS][SLOTS], *own[SLOTS], *none;
    struct sg_smtp_destination d = {.host = "192.0.2.1"},
                               ours = {.host = "192.0.2.1", .own_wait_ms = 1};
    for (int i = 0; i < SERVERS; i++) {
        d.port = i + 1;
        for (int k = 0; k < may[i]; k++)
            assert_true(take(pool, &d, &taken[i][k]));
        assert_false(take(pool, &d, &none));
    }
    for (int k = 0; k < SLOTS; k++)
        assert_true(take(pool, &ours, &own[k]));
    assert_false(take(pool, &ours, &none)); /* it has slots all the same */
    for (int k = 0; k < SLOTS; k++)
        smtp_pool_give(pool, &own[k], NULL);
    for (int i = 0; i < SERVERS; i++)
        for (int k = 0; k < may[i]; k++)
            smtp_pool_give(pool, &taken[i][k], NULL);
    d.port = 1;
    for (int k = 0; k < may[0]; k++) /* all is as it was */
        assert_true(take(pool, &d, &taken[0][k]));
    assert_false(take(pool, &d, &none));
    for (int k = 0; k < may[0]; k++)
        smtp_pool_give(pool, &taken[0][k], NULL);
    smtp_pool_free(&pool);
}

/* All that one owner's servers have together, of 8: his fifth waits though there is room, and
 * others have as before. One may always have his first. */
static void shares_of_an_owner(void **state)
{
    (void)state;
    static const int may[] = {3, 1, 0, 0}, others[] = {1, 1, 1};
    struct smtp_pool *pool = smtp_pool_new(9, 8, 1000);
    struct smtp_place *taken[4], *other[4], *none;
    struct sg_smtp_destination d = {.host = "192.0.2.1", .owner = "ten_a"},
                               e = {.host = "192.0.2.1", .owner = "ten_b"};
    int count = 0, other_count = 0;
    for (int i = 0; i < 4; i++) {
        d.port = i + 1;
        for (int k = 0; k < may[i]; k++)
            assert_true(take(pool, &d, &taken[count++]));
        assert_false(take(pool, &d, &none));
    }
    assert_int_equal(count, 8 / 2);
    for (int i = 0; i < 3; i++) { /* the same servers, as another's */
        e.port = i + 1;
        for (int k = 0; k < others[i]; k++)
            assert_true(take(pool, &e, &other[other_count++]));
        assert_false(take(pool, &e, &none));
    }
    smtp_pool_give(pool, &taken[--count], NULL);
    assert_true(take(pool, &d, &taken[count++])); /* his fourth server has its first now */
    while (count)
        smtp_pool_give(pool, &taken[--count], NULL);
    while (other_count)
        smtp_pool_give(pool, &other[--other_count], NULL);
    smtp_pool_free(&pool);
    pool = smtp_pool_new(9, 1, 1000);
    assert_true(take(pool, &d, &taken[0]));
    assert_false(take(pool, &d, &none));
    assert_true(take(pool, &e, &other[0]));
    smtp_pool_give(pool, &taken[0], NULL);
    smtp_pool_give(pool, &other[0], NULL);
    smtp_pool_free(&pool);
}

/* One server that two name: what one of them has taken is not lacking to the other, and no
 * connection is another's. */
static void not_shared_by_owners(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO, MESSAGE("S 250 1"), HELLO, MESSAGE("S 250 2"), NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = sg_smtp_client_new(&options);
    d.owner = "ten_a";
    expect(c, &d, 250);
    d.owner = "ten_b";
    expect(c, &d, 250);
    sg_smtp_client_free(&c);
    script_end(&s);
}

/* Where no slot came back for longer than one may wait, nobody begins to. */
static void nobody_waits_for_what_hangs(void **state)
{
    (void)state;
    enum { WAIT_MS = 300 };
    struct smtp_pool *pool = smtp_pool_new(1, 0, 1000);
    struct sg_smtp_destination d = {.host = "192.0.2.1"}, ours = {.host = "ours", .own_wait_ms = 1};
    struct smtp_place *taken, *own, *none;
    struct smtp_connection *kept;
    struct sg_error err;
    int64_t took[2], from;
    assert_true(take(pool, &d, &taken));
    for (int i = 0; i < 2; i++) {
        from = sg_clock_monotonic_ms();
        assert_false(smtp_pool_take(pool, &d, sg_deadline_in(WAIT_MS), &none, &kept, &err));
        took[i] = sg_clock_monotonic_ms() - from;
    }
    assert_true(took[0] >= WAIT_MS - 10);
    assert_true(took[1] < WAIT_MS / 2);
    smtp_pool_give(pool, &taken, NULL);
    assert_true(take(pool, &d, &taken));
    smtp_pool_give(pool, &taken, NULL);
    /* Our own is waited for all the same. */
    assert_true(take(pool, &ours, &own));
    for (int i = 0; i < 2; i++) {
        from = sg_clock_monotonic_ms();
        assert_false(smtp_pool_take(pool, &ours, sg_deadline_in(WAIT_MS), &none, &kept, &err));
        assert_true(sg_clock_monotonic_ms() - from >= WAIT_MS - 10);
    }
    smtp_pool_give(pool, &own, NULL);
    smtp_pool_free(&pool);
}

static int setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_connection_for_many),
        cmocka_unit_test(what_ours_could_not_tell),
        cmocka_unit_test(not_shared),
        cmocka_unit_test(not_shared_within),
        cmocka_unit_test(not_shared_by_owners),
        cmocka_unit_test(shares_of_an_owner),
        cmocka_unit_test(closed_while_kept),
        cmocka_unit_test(stale),
        cmocka_unit_test(never_twice),
        cmocka_unit_test(idle_connections_end),
        cmocka_unit_test(slots),
        cmocka_unit_test(contention),
        cmocka_unit_test(shares),
        cmocka_unit_test(nobody_waits_for_what_hangs),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
