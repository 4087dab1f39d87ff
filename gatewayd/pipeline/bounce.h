/*
 * The bounce listener: what Postfix "in" says of mail that it could not hand to us (it expired in
 * the queue, a DSN was asked for). Its bounces go nowhere; the sender gets our own notice instead,
 * which quotes nothing.
 */
#ifndef SG_PIPELINE_BOUNCE_H
#define SG_PIPELINE_BOUNCE_H

#include "smtp/server.h"

void sg_bounce_mail(void *gateway, const struct sg_smtp_transaction *t,
                    struct sg_smtp_reply *reply);
void sg_bounce_message(void *gateway, struct sg_smtp_transaction *t, struct sg_smtp_reply *replies);

#endif
