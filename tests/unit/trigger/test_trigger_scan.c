/* Messages: gatewayd/trigger. What the corpus in tests/vectors/mime does not show as well. REQ-29
 * REQ-32 REQ-33 REQ-34 */
#include "scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define S   SG_TRIGGER_SECRET
#define N   SG_TRIGGER_SENSITIVE
#define MIX "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"

static const struct {
    const char *name, *message;
    unsigned words;
    bool undecodable;
} cases[] = {
    {"subject", "Subject: [SECRET]\r\n\r\nx\r\n", S, false},
    {"lower case", "Subject: [secret]\r\n\r\n[Sensitive] SECRET\r\n", 0, false},
    {"body", "Subject: x\r\n\r\n[SECRET]\r\n", S, false},
    {"both", "Subject: [SENSITIVE]\r\n\r\n[SECRET]\r\n", N | S, false},
    {"second subject", "Subject: x\r\nSubject: [SECRET]\r\n\r\nx\r\n", S, false},
    {"folded subject", "Subject: [SEC\r\n RET]\r\n\r\nx\r\n", S, false},
    {"encoded word", "Subject: =?utf-8?B?W1NFQ1JFVF0=?=\r\n\r\nx\r\n", S, false},
    {"encoded words", "Subject: =?utf-8?Q?=5BSEC?= =?iso-8859-1?q?RET=5D?=\r\n\r\nx\r\n", S, false},
    {"other field", "X-Note: [SECRET]\r\n\r\nx\r\n", 0, false},
    {"quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\n=5BSE=\r\nCRET=5d\r\n",
     S, false},
    {"base64", "Content-Transfer-Encoding: base64\r\n\r\nW1NFQ1JF\r\nVF0=\r\n", S, false},
    {"html", "Content-Type: text/html\r\n\r\n<p>[SE<b>CR</b>ET]</p>\r\n", S, false},
    {"not html", "Content-Type: text/plain\r\n\r\n<p>[SE<b>CR</b>ET]</p>\r\n", 0, false},
    {"utf-7", "Content-Type: text/plain; charset=utf-7\r\n\r\n+AFs-SECRET+AF0-\r\n", S, false},
    {"attachment",
     MIX "--b\r\n\r\nx\r\n--b\r\nContent-Type: text/plain\r\n"
         "Content-Disposition: attachment\r\n\r\n[SECRET]\r\n--b--\r\n",
     0, false},
    {"inline",
     MIX "--b\r\n\r\nx\r\n--b\r\nContent-Type: text/plain\r\n"
         "Content-Disposition: inline\r\n\r\n[SECRET]\r\n--b--\r\n",
     S, false},
    {"no closing delimiter", MIX "--b\r\n\r\n[SECRET]\r\n", S, false},
    {"preamble", MIX "[SECRET]\r\n--b\r\n\r\nx\r\n--b--\r\n", S, false},
    {"epilogue", MIX "--b\r\n\r\nx\r\n--b--\r\n[SECRET]\r\n", S, false},
    {"unknown charset", "Content-Type: text/plain; charset=x-klingon\r\n\r\n[SECRET]\r\n", S, true},
    {"unknown transfer encoding", "Content-Transfer-Encoding: rot13\r\n\r\n[SECRET]\r\n", S, true},
    {"broken base64", "Content-Transfer-Encoding: base64\r\n\r\nW1NF*Q1JFVF0=\r\n", S, true},
};

static void test_cases(void **state)
{
    (void)state;
    struct sg_trigger_options options = test_options();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_trigger_found found;
        test_scan(arena, cases[i].message, strlen(cases[i].message), &options, &found);
        if (found.words != cases[i].words || found.undecodable != cases[i].undecodable)
            fail_msg("%s: words %x undecodable %d (%s)", cases[i].name, found.words,
                     found.undecodable, found.undecodable ? found.undecodable_why : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
