#include "support.h"

#include "api/check.h"
#include "api/json_spec.h"

#include <string.h>

/* want NULL: refused. */
struct row {
    const char *value, *want;
};

static void rows_run(api_check check, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        const char *value = rows[i].value;
        struct sg_error err = {0};
        bool ok = check(arena, &value, &err);
        if (ok != (rows[i].want != NULL) || (ok && strcmp(value, rows[i].want) != 0) ||
            (!ok && !err.detail[0]))
            fail_msg("%s: %s %s", rows[i].value,
                     ok ? "became" : "refused:", ok ? value : err.detail);
    }
}

#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_dns_name(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"agency.test", "agency.test"},
        {"Mail.Agency.GOVT.NZ", "mail.agency.govt.nz"},
        {"xn--bcher-kva.test", "xn--bcher-kva.test"},
        {"1-2.a3.test", "1-2.a3.test"},
        {LABEL63 ".test", LABEL63 ".test"},
        {LABEL63 "a.test", NULL},
        {LABEL63 "." LABEL63 "." LABEL63 "." LABEL63, NULL},
        {"", NULL},
        {"test", NULL},
        {"agency.test.", NULL},
        {".agency.test", NULL},
        {"agency..test", NULL},
        {"*.agency.test", NULL},
        {"-a.test", NULL},
        {"a-.test", NULL},
        {"a_b.test", NULL},
        {"a b.test", NULL},
        {"a@b.test", NULL},
        {"bücher.test", NULL},
        {"192.0.2.1", NULL},
        {"1.2", NULL},
        {"[192.0.2.1]", NULL},
        {"2001:db8::1", NULL},
    };
    rows_run(api_check_dns_name, rows, COUNT(rows));
}

static void test_host(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Mail.agency.test", "mail.agency.test"},
        {"192.0.2.1", "192.0.2.1"},
        {"2001:DB8:0::1", "2001:db8::1"},
        {"[::1]", NULL},
        {"192.0.2.1:25", NULL},
        {"192.0.2", NULL},
        {"localhost", NULL},
    };
    rows_run(api_check_host, rows, COUNT(rows));
}

static void test_network(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"192.0.2.0/24", "192.0.2.0/24"},
        {"192.0.2.1", "192.0.2.1/32"},
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"192.0.2.128/25", "192.0.2.128/25"},
        {"2001:DB8::/32", "2001:db8::/32"},
        {"2001:db8::1", "2001:db8::1/128"},
        {"0.0.0.0/0", NULL},
        {"10.0.0.0/7", NULL},
        {"::/0", NULL},
        {"2001:db8::/31", NULL},
        {"192.0.2.1/24", NULL},
        {"2001:db8::1/64", NULL},
        {"192.0.2.0/33", NULL},
        {"192.0.2.0/024", NULL},
        {"192.0.2.0/", NULL},
        {"192.0.2.0/ 24", NULL},
        {"192.0.2.0/+24", NULL},
        {"192.0.2.0/24/8", NULL},
        {"192.0.2/24", NULL},
        {"010.0.0.0/8", NULL},
        {"::ffff:192.0.2.1", NULL},
        {"agency.test", NULL},
        {"", NULL},
    };
    rows_run(api_check_network, rows, COUNT(rows));
}

#define HEX62 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"

static void test_fingerprint(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {HEX62 "EF", HEX62 "ef"},
        {"01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:"
         "AB:CD:EF",
         HEX62 "ef"},
        {HEX62 "e", NULL},
        {HEX62 "ef0", NULL},
        {HEX62 "eg", NULL},
        {HEX62 "ef:", NULL},
        {":" HEX62 "ef", NULL},
        {"0123:" HEX62, NULL},
        {"sha256:" HEX62, NULL},
        {"", NULL},
    };
    rows_run(api_check_fingerprint, rows, COUNT(rows));
}

static void test_ldap_url(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ldap://Directory.test", "ldap://directory.test"},
        {"LDAPS://directory.test:636/", "ldaps://directory.test:636"},
        {"ldaps://127.0.0.1:47007", "ldaps://127.0.0.1:47007"},
        {"ldap://[2001:DB8::1]:389", "ldap://[2001:db8::1]:389"},
        {"http://directory.test", NULL},
        {"ldapi://%2Fvar%2Frun", NULL},
        {"ldap://", NULL},
        {"ldap://user@directory.test", NULL},
        {"ldap://directory.test/c=NZ", NULL},
        {"ldap://directory.test?x", NULL},
        {"ldap://directory.test:0", NULL},
        {"ldap://directory.test:65536", NULL},
        {"ldap://directory.test:", NULL},
        {"ldap://[::1", NULL},
        {"ldap://[directory.test]", NULL},
        {"ldap://::1", NULL},
    };
    rows_run(api_check_ldap_url, rows, COUNT(rows));
}

static void test_rest(void **state)
{
    (void)state;
    static const struct row dns[] = {{"c=NZ", "c=NZ"},
                                     {"ou=a\\,b, o=x=y,c=NZ", "ou=a\\,b, o=x=y,c=NZ"},
                                     {"2.5.4.6=NZ", "2.5.4.6=NZ"},
                                     {"", NULL},
                                     {"NZ", NULL},
                                     {"c=", NULL},
                                     {"c=NZ,", NULL},
                                     {"=NZ", NULL},
                                     {"c=NZ\\", NULL}};
    static const struct row names[] = {
        {"Agency A", "Agency A"}, {" a", NULL}, {"a ", NULL}, {"", NULL}};
    static const struct row addresses[] = {{"<>", ""}, {"Joe@Agency.TEST", "joe@agency.test"}};
    static const struct row ids[] = {{"<a@b>", "a@b"}, {"a@b", "a@b"}, {"<>", "<>"}};
    static const struct row tenants[] = {
        {"ten_00000000000000000000000000", "ten_00000000000000000000000000"},
        {"dom_00000000000000000000000000", NULL},
        {"ten_", NULL}};
    static const struct row months[] = {
        {"2026-11", "2026-11-01"}, {"2026-01", "2026-01-01"}, {"2026-00", NULL}, {"2026-13", NULL},
        {"2026-1", NULL},          {"2026-111", NULL},        {"1999-01", NULL}, {"", NULL},
        {"2026/11", NULL},         {"2026-1x", NULL}};
    rows_run(api_check_month, months, COUNT(months));
    rows_run(api_check_dn, dns, COUNT(dns));
    rows_run(api_check_name, names, COUNT(names));
    rows_run(api_check_address, addresses, COUNT(addresses));
    rows_run(api_check_message_id, ids, COUNT(ids));
    rows_run(api_check_tenant_id, tenants, COUNT(tenants));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dns_name), cmocka_unit_test(test_host),
        cmocka_unit_test(test_network),  cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_ldap_url), cmocka_unit_test(test_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
