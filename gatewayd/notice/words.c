/* The words: of tables 2 and 4, of the codes of table 3, and of the reasons of servers. */
#include "notice/notice_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define DASH "\xe2\x80\x93"
#define HOUR (3600 * SG_SECOND)

/* text: %C is the codes in brackets, %H the hours to the next try. */
static const struct {
    const char *name, *subject, *text;
} kinds[SG_NOTICE_KINDS] = {
    [SG_NOTICE_FAILURE] = {"failure", "SECURE DELIVERY FAILURE",
                           "Your message could not be delivered securely, therefore, it was not"
                           " sent.%C"},
    [SG_NOTICE_DELAYED] = {"delayed", "SECURE DELIVERY DELAYED",
                           "Your message could not be delivered securely. The system will try again"
                           " in %H hours.%C"},
    [SG_NOTICE_NON_DELIVERY] = {"non-delivery", "NON DELIVERY REPORT",
                                "Your message was NOT delivered to the organisation responsible for"
                                " handling the addressee's messages."},
    [SG_NOTICE_RECEIPT] = {"receipt", "DELIVERY RECEIPT",
                           "Your message has been successfully delivered to the organisation"
                           " responsible for handling the addressee's messages. This is not a read"
                           " receipt."},
    [SG_NOTICE_WAITING] = {"waiting", "MESSAGE WAITING",
                           "Your message has not been delivered yet to the organisation responsible"
                           " for handling the addressee's messages. It is kept, sealed, and will be"
                           " tried again."},
    [SG_NOTICE_UNVERIFIED] = {"unverified", "UNVERIFIED MESSAGE",
                              "The confidentiality, integrity and/or authenticity of this message"
                              " could not be verified.%C"},
    [SG_NOTICE_SYSTEM_FAILURE] = {"system-failure", "SYSTEM FAILURE MESSAGE",
                                  "A message has passed through the Secure Email rule set without"
                                  " being processed.%C"},
    [SG_NOTICE_SYSTEM_WARNING] = {"system-warning", "SYSTEM WARNING MESSAGE",
                                  "A verified message has been received with no X-HEADER field."},
    [SG_NOTICE_QUARANTINE] =
        {"quarantine", "QUARANTINED MESSAGE",
         "A message was not sent and waits for an administrator's decision.%C"},
    [SG_NOTICE_BREACH] = {"breach", "TRIGGER WORD BREACH",
                          "A message with a trigger word was not for where it was going.%C"},
    [SG_NOTICE_CERTIFICATE] = {"certificate", "CERTIFICATE WARNING",
                               "A certificate of your domain is not trusted by this gateway; a"
                               " message was sent with another one.%C"},
};

const char *sg_notice_kind_name(enum sg_notice_kind kind)
{
    return kinds[kind].name;
}

const char *sg_notice_subject(enum sg_notice_kind kind)
{
    return kinds[kind].subject;
}

bool sg_notice_kind_find(const char *name, enum sg_notice_kind *kind_r)
{
    for (size_t i = 0; i < SG_NOTICE_KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            *kind_r = (enum sg_notice_kind)i;
            return true;
        }
    }
    return false;
}

void sg_notice_first_line(enum sg_notice_kind kind, const char *codes, sg_time created_at,
                          sg_time retry_at, struct sg_buf *out)
{
    sg_time wait = retry_at - created_at;
    sg_buf_addf(out, "%s " DASH " ", kinds[kind].subject);
    for (const char *p = kinds[kind].text; *p; p++) {
        if (*p != '%')
            sg_buf_add(out, p, 1);
        else if (*++p == 'H')
            sg_buf_addf(out, "%lld", wait > HOUR ? (long long)((wait + HOUR - 1) / HOUR) : 1LL);
        else if (*codes)
            sg_buf_addf(out, " [Code: %s]", codes);
    }
    sg_buf_adds(out, "\r\n");
}

static const struct {
    const char *code, *words;
} codes_known[] = {
    {"001", "it bears a trigger word, and the agency it is for lacks the Secure Email capability "
            "that the word asks for"},
    /* Also of a stranger's mail: what the case was, the line behind it says. */
    {"002", "nothing shows that the message came directly from where it says that it comes from"},
    {"003", "the message was altered on its way"},
    {"004", "it bears a trigger word, and comes from outside of Secure Email"},
    {"005", "From names the recipient's own agency, and the message came from outside"},
    {"008", "it comes from a participating agency, signed but not encrypted"},
    {"009", "no rule said what to do with it"},
    {"101", "the sender's certificate has been revoked or suspended"},
    {"102", "the sender's certificate is unknown, or not issued by an authority that is trusted"},
    {"103", "the sender's certificate has expired, and no new one was to be had"},
    {"104", "whether the sender's certificate still holds could not be verified"},
    {"105", "the sender's certificate is not yet valid"},
    {"111", "the recipient's certificate has been revoked or suspended"},
    {"112", "the recipient's certificate is not issued by an authority that is trusted"},
    {"113", "the recipient's certificate has expired, and no new one was to be had"},
    {"114", "whether the recipient's certificate still holds could not be verified"},
    {"115", "the recipient's certificate is not yet valid"},
    {"201", "the recipient's agency has no valid certificate that could be found"},
    {"202", "whether the certificate of the recipient's agency still holds is not known just now"},
    {"211", "the sender's own agency has no valid certificate"},
    {"212", "whether the certificate of the sender's own agency still holds is not known just now"},
};

const char *sg_notice_code_words(const char *code)
{
    for (size_t i = 0; i < sizeof codes_known / sizeof codes_known[0]; i++)
        if (strcmp(codes_known[i].code, code) == 0)
            return codes_known[i].words;
    return NULL;
}

void sg_notice_codes_explain(const char *codes, struct sg_buf *out)
{
    for (const char *p = codes; *p;) {
        char code[8] = "";
        size_t n = strcspn(p, ", ");
        if (n < sizeof code)
            memcpy(code, p, n);
        const char *words = sg_notice_code_words(code);
        if (words)
            sg_buf_addf(out, "%s: %s.\r\n", code, words);
        p += n;
        p += strspn(p, ", ");
    }
}

static const struct {
    const char *status, *words;
} reasons[] = {
    {".1.0", "no such mailbox"},
    {".1.1", "no such mailbox"},
    {".1.2", "no such domain"},
    {".1.3", "the address is not valid"},
    {".1.6", "the mailbox has moved"},
    {".1.10", "the domain takes no mail"},
    {".2.1", "the mailbox is suspended"},
    {".2.2", "the mailbox is full"},
    {".2.3", "the message is too large for the mailbox"},
    {".2", "the mailbox cannot take it"},
    {".3.1", "the mail system is full"},
    {".3.4", "the message is too large"},
    {".3", "the mail system cannot take it"},
    {".4.7", "it could not be delivered in time"},
    {".4", "the mail system could not be reached"},
    {".6", "the mail system cannot take its content or form"},
    {".7", "the mail system may not take it"},
};

/* Of servers that give no status of RFC 3463. */
static const struct {
    int code;
    const char *status;
} codes_plain[] = {{550, "5.1.1"}, {551, "5.1.6"}, {552, "5.2.2"}, {553, "5.1.3"}};

static bool status_valid(const char *s)
{
    char *end;
    if (!strchr("245", s[0]) || !s[0] || s[1] != '.' || strlen(s) > 9)
        return false;
    strtoul(s + 2, &end, 10);
    if (end == s + 2 || *end != '.' || end[1] < '0' || end[1] > '9')
        return false;
    strtoul(end + 1, &end, 10);
    return *end == 0;
}

const char *sg_notice_reason(const char *enhanced, int code, char status_r[12])
{
    const char *status = status_valid(enhanced) ? enhanced : "5.0.0";
    for (size_t i = 0; status != enhanced && i < sizeof codes_plain / sizeof codes_plain[0]; i++)
        if (codes_plain[i].code == code)
            status = codes_plain[i].status;
    snprintf(status_r, 12, "5%s", status + 1);
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        size_t n = strlen(reasons[i].status);
        if (strncmp(status + 1, reasons[i].status, n) == 0 &&
            (!status[1 + n] || status[1 + n] == '.'))
            return reasons[i].words;
    }
    return "the mail system did not take it";
}

void sg_notice_warning_text(const struct sg_notice_warning *w, struct sg_buf *out)
{
    bool ours = strcmp(w->codes, "009") == 0; /* table 2: the end of the rules */
    sg_notice_first_line(ours ? SG_NOTICE_SYSTEM_FAILURE : SG_NOTICE_UNVERIFIED, w->codes, 0, 0,
                         out);
    if (!w->brief) {
        sg_buf_adds(out, "\r\n");
        sg_notice_codes_explain(w->codes, out);
    }
    if (!w->brief && *w->reason)
        sg_notice_line_add(out, "Here: ", w->reason, 400);
    sg_notice_addition_add(w->addition, out);
}
