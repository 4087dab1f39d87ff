#include "recipients/recipients.h"

#include <string.h>

/*
 * RFC 3463: X.1.0 to X.1.6 are of the mailbox (X.1.2, of its domain, is a fault of routing, X.1.5
 * says that it is good), X.1.7 and X.1.8 of the sender. Exchange says 5.1.10 of an unknown
 * recipient, and in front of its cloud 5.4.1.
 */
static bool mailbox_status(const char *enhanced)
{
    static const char *const known[] = {"5.1.0", "5.1.1", "5.1.3",  "5.1.4",
                                        "5.1.6", "5.4.1", "5.1.10", NULL};
    for (size_t i = 0; known[i]; i++)
        if (strcmp(enhanced, known[i]) == 0)
            return true;
    return false;
}

enum sg_recipient_answer sg_recipient_verdict(const struct sg_smtp_reply *reply)
{
    if (reply->code / 100 == 2)
        return SG_RECIPIENT_KNOWN;
    if (reply->code / 100 != 5)
        return SG_RECIPIENT_UNDECIDED;
    bool mailbox = reply->code == 550 || reply->code == 551 || reply->code == 553; /* RFC 5321 */
    if (*reply->enhanced ? mailbox_status(reply->enhanced) : mailbox)
        return SG_RECIPIENT_UNKNOWN;
    return SG_RECIPIENT_UNDECIDED;
}
