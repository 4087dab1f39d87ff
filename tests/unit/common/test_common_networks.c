/* Sets of networks, and connecting into them alone. */
#include "cmocka_all.h"
#include "common/deadline.h"
#include "common/networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

static const char *const some[] = {"192.0.2.0/24", "198.51.100.128/25", "203.0.113.7/32",
                                   "2001:db8::/32", "2001:db9:0:8000::/49"};

static struct sg_networks *make(const char *const *texts, size_t count)
{
    struct sg_networks *n;
    struct sg_error err;
    if (!sg_networks_new(texts, count, 7, &n, &err))
        fail_msg("%s", err.detail);
    return n;
}

static bool have(const struct sg_networks *n, const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return sg_networks_have(n, (struct sockaddr *)&four);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return sg_networks_have(n, (struct sockaddr *)&six);
}

static void test_inside(void **state)
{
    (void)state;
    static const char *const inside[] = {
        "192.0.2.0",          "192.0.2.255",     "198.51.100.128",   "198.51.100.255",
        "203.0.113.7",        "2001:db8::",      "2001:db8:ffff::1", "2001:db9:0:8000::1",
        "2001:db9:0:ffff::1", "::ffff:192.0.2.9"};
    static const char *const outside[] = {"192.0.1.255",        "192.0.3.0",    "198.51.100.127",
                                          "203.0.113.6",        "203.0.113.8",  "2001:db7::1",
                                          "2001:db9:0:7fff::1", "2001:db9:1::", "::ffff:192.0.3.9",
                                          "::192.0.2.9",        "0.0.0.0",      "::",
                                          "64:ff9b::192.0.2.1"};
    struct sg_networks *n = make(some, 5);
    assert_int_equal(sg_networks_count(n), 5);
    assert_int_equal(sg_networks_version(n), 7);
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        if (!have(n, inside[i]))
            fail_msg("%s", inside[i]);
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        if (have(n, outside[i]))
            fail_msg("%s", outside[i]);
    struct sg_networks *again = sg_networks_ref(n);
    sg_networks_unref(&n);
    assert_null(n);
    assert_true(have(again, "192.0.2.1"));
    sg_networks_unref(&again);
    sg_networks_unref(&again);
}

static void test_all_and_none(void **state)
{
    (void)state;
    static const char *const four[] = {"0.0.0.0/0"}, *const all[] = {"::/0"};
    struct sg_networks *n = make(four, 1);
    assert_true(have(n, "8.8.8.8"));
    assert_false(have(n, "2001:db8::1"));
    sg_networks_unref(&n);
    n = make(all, 1);
    assert_true(have(n, "8.8.8.8") && have(n, "2001:db8::1"));
    sg_networks_unref(&n);
    n = make(NULL, 0);
    assert_false(have(n, "127.0.0.1"));
    sg_networks_unref(&n);
}

static void test_no_network(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "192.0.2.0",
        "192.0.2.0/",
        "192.0.2.0/33",
        "/24",
        "192.0.2/24",
        "x/24",
        "2001:db8::/129",
        "::/-1",
        "192.0.2.0/2 4",
        "192.0.2.0/0000",
        "1.2.3.4/24/8",
        "2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0000:00/32"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const texts[] = {"192.0.2.0/24", bad[i]};
        struct sg_networks *n;
        struct sg_error err;
        if (sg_networks_new(texts, 2, 1, &n, &err))
            fail_msg("%s", bad[i]);
        assert_int_equal(err.code, SG_E_INVALID);
    }
}

static bool may(const void *ctx, const struct sockaddr *address)
{
    return sg_networks_have(ctx, address);
}

/* A name with several addresses: those outside are passed over. */
static void test_connects_inside_alone(void **state)
{
    (void)state;
    static const char *const loopback[] = {"127.0.0.0/8"}, *const elsewhere[] = {"192.0.2.0/24"};
    struct sg_networks *here = make(loopback, 1), *there = make(elsewhere, 1);
    struct sockaddr_in where;
    socklen_t len = sizeof where;
    struct sg_error err;
    char address[64];
    int listening, fd;
    assert_true(sg_io_listen("inet:127.0.0.1:0", 0, 5, &listening, &err));
    assert_int_equal(getsockname(listening, (struct sockaddr *)&where, &len), 0);
    for (int named = 0; named < 2; named++) {
        snprintf(address, sizeof address, "inet:%s:%d", named ? "localhost" : "127.0.0.1",
                 ntohs(where.sin_port));
        assert_true(sg_io_connect_if(address, may, here, sg_deadline_in(5000), &fd, &err));
        close(fd);
        assert_false(sg_io_connect_if(address, may, there, sg_deadline_in(5000), &fd, &err));
        assert_int_equal(err.code, SG_E_EGRESS);
    }
    assert_false(sg_io_connect_if("unix:/nowhere", may, here, sg_deadline_in(100), &fd, &err));
    assert_int_equal(err.code, SG_E_EGRESS);
    close(listening);
    sg_networks_unref(&here);
    sg_networks_unref(&there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_all_and_none),
        cmocka_unit_test(test_no_network),
        cmocka_unit_test(test_connects_inside_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
